import type { Culprit } from '../../core/domain/errors.ts';

/** What the exit code of the command says. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export type FailureExit = typeof EXIT.failed | typeof EXIT.usage | typeof EXIT.unreachable;

export interface FailureDetails {
  /** The platform's error code, or one of our own: Usage, Unreachable, LoadError, FunctionError. */
  readonly code: string;
  readonly culprit: Culprit;
  /** What to do; left out where the message says it already. */
  readonly remedy?: string;
  readonly requestId?: string;
  /** More lines for people, after the message; programs read `details`. */
  readonly explanation?: string;
  /** Anything more that a program reading `--json` can use. */
  readonly details?: unknown;
}

/** An expected end of a command that is no success: shown without a stack trace, decides the exit code. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exit: FailureExit;
  readonly code: string;
  readonly culprit: Culprit;
  readonly remedy: string | undefined;
  readonly requestId: string | undefined;
  readonly explanation: string | undefined;
  readonly details: unknown;

  constructor(exit: FailureExit, message: string, about: FailureDetails) {
    super(message);
    this.exit = exit;
    this.code = about.code;
    this.culprit = about.culprit;
    this.remedy = about.remedy;
    this.requestId = about.requestId;
    this.explanation = about.explanation;
    this.details = about.details;
  }

  /** One JSON document for programs. */
  toJSON(): Record<string, unknown> {
    const { code, culprit, message, remedy, requestId, details } = this;
    return { error: { code, culprit, message, remedy, requestId, details } };
  }
}

/** The caller's mistake on the command line or in a file of theirs. */
export function usage(message: string, remedy?: string): Failure {
  return new Failure(EXIT.usage, message, {
    code: 'Usage',
    culprit: 'caller',
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** The platform could not be reached at all. */
export function unreachable(message: string, remedy: string): Failure {
  return new Failure(EXIT.unreachable, message, { code: 'Unreachable', culprit: 'platform', remedy });
}

const WHO: Readonly<Record<Culprit, string>> = {
  caller: 'this command or its input',
  function: "the function's own code",
  limit: 'a limit',
  platform: 'the platform',
};

/** Several lines for people: what happened, who has to act, what to do, under which id the platform knows it. */
export function describe(failure: Failure): string {
  const lines = [`tidemill: ${failure.message}`];
  if (failure.explanation !== undefined) lines.push(failure.explanation);
  if (failure.code !== 'Usage' && failure.exit !== EXIT.unreachable)
    lines.push(`  at fault: ${WHO[failure.culprit]} (${failure.code})`);
  if (failure.remedy !== undefined) lines.push(`  to do:    ${failure.remedy}`);
  if (failure.requestId !== undefined) lines.push(`  request:  ${failure.requestId}`);
  return `${lines.join('\n')}\n`;
}
