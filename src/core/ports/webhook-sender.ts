/** How the other side answered. */
export interface WebhookReply {
  /** HTTP status; redirects are answers like any other and are not followed. */
  readonly status: number;
  /** The first bytes of the body, for the record of a refusal. */
  readonly text: string;
}

/**
 * Sends results to URLs that functions' owners named. Promises: one POST per call, answered or rejected within `timeoutMs`; an
 * address that is not allowed (link-local and metadata addresses always, loopback and private ones unless the operator allows
 * them, the platform's own ports always) rejects with AccessDenied before anything is sent, and what was checked is what is
 * connected to; anything else that goes wrong rejects with an Error that says what.
 */
export interface WebhookSender {
  post(
    url: string,
    body: Uint8Array,
    options: {
      readonly headers: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<WebhookReply>;
  close(): void;
}
