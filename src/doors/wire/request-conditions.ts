import type { RequestConditions } from '../../core/domain/policy/decision.ts';
import type { Peer } from './exchange.ts';

interface Asking {
  readonly headers: { readonly 'user-agent'?: string | undefined };
  readonly socket: Peer & { readonly encrypted?: boolean };
}

/** What policies may ask about a request that came in over HTTP; keys of one operation come in `more`. Read only when asked. */
export class HttpConditions implements RequestConditions {
  /** The request that is asked about. */
  readonly request: Asking;
  private readonly more: ReadonlyMap<string, string> | undefined;

  constructor(request: Asking, more?: ReadonlyMap<string, string>) {
    this.request = request;
    this.more = more;
  }

  get(key: string): string | undefined {
    switch (key) {
      case 'acs:sourceip':
        return this.request.socket.remoteAddress;
      case 'acs:securetransport':
        return String(this.request.socket.encrypted === true);
      case 'acs:useragent':
        return this.request.headers['user-agent'];
      default:
        return this.more?.get(key);
    }
  }
}
