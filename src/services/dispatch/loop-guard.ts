import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { isRecursive, type Lineage } from '../../core/domain/lineage.ts';
import { LOOP_VARIABLES, type LoopLimits, loopLimitsOf } from '../../core/domain/loop-limits.ts';
import type { InvokeCommand } from '../../core/ports/dispatch.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import { DescendantRate } from './descendant-rate.ts';
import { RecursionWidth, recursionDepth } from './recursion-width.ts';

interface LoopGuardOptions {
  readonly limits: LoopLimits;
  readonly facts: Pick<FactLog, 'append'>;
  readonly clock: Clock;
}

/** How long the other branches of a proven loop are stopped after the last one that was, milliseconds. */
const PROVEN_MS = 600_000;
const PROVEN_KEPT = 4_096;

function nothingHeld(): void {}

/**
 * Stops chains of calls that must be loops, and bounds how fast the descendants of one first request grow, so that a tree
 * of calls cannot fill the platform before its branches are long enough to be stopped. Once one branch has reached the hop
 * limit, the same function is not called again below itself from the same first request: a loop that makes two events of
 * one has very many branches. An event that is refused for its hops ends as failed, with its lineage; one refused for its
 * rate waits and is tried again.
 */
export class LoopGuard {
  private readonly options: LoopGuardOptions;
  private readonly rate = new DescendantRate();
  private readonly width = new RecursionWidth();
  /** First request and function of loops that were found, and when last. */
  private readonly proven = new Map<string, number>();

  constructor(options: LoopGuardOptions) {
    this.options = options;
  }

  /** Why a call that is about to run must not; undefined: it may, and counts. Calls from outside need not ask. */
  refusal(command: InvokeCommand, invocation: 'sync' | 'async'): TidemillError | undefined {
    const { lineage, target } = command;
    if (lineage.hops === 0) return undefined;
    const limits = loopLimitsOf(target.spec.config.environmentVariables, this.options.limits);
    const { maxHops, descendantsPerMinute } = limits;
    const now = this.options.clock.monotonic();
    if (lineage.hops >= maxHops) {
      // hops that a caller only says it has prove nothing about others
      if (isRecursive(lineage, target.spec.functionName)) this.prove(command, now);
      this.alarm(command, invocation, 'hops', maxHops);
      return loopError(lineage, maxHops);
    }
    if (maxHops !== Number.POSITIVE_INFINITY && this.isProven(command, now)) return branchError(lineage);
    const verdict = this.rate.take(lineage.rootRequestId, descendantsPerMinute, now);
    if (verdict === 'admitted') return undefined;
    if (verdict === 'refused-first') this.alarm(command, invocation, 'rate', descendantsPerMinute);
    return rateError(lineage, descendantsPerMinute);
  }

  /**
   * Resolves when an event may run that a function has caused for itself, at once for all others; call the answer when the
   * run has ended. Rejects with the signal's reason.
   */
  async turn({ lineage, target, signal }: InvokeCommand): Promise<() => void> {
    const { account, functionName, config } = target.spec;
    const depth = recursionDepth(lineage, functionName);
    const { maxHops } = loopLimitsOf(config.environmentVariables, this.options.limits);
    if (depth === 0 || maxHops === Number.POSITIVE_INFINITY) return nothingHeld;
    return await this.width.enter(`${lineage.rootRequestId} ${account}/${functionName}`, depth, maxHops, signal);
  }

  private prove(command: InvokeCommand, now: number): void {
    const key = loopKey(command);
    this.proven.delete(key);
    this.proven.set(key, now);
    if (this.proven.size <= PROVEN_KEPT) return;
    for (const oldest of this.proven.keys()) {
      this.proven.delete(oldest);
      return;
    }
  }

  /** Whether this call is one more branch of a loop that was found. */
  private isProven(command: InvokeCommand, now: number): boolean {
    if (this.proven.size === 0) return false;
    const at = this.proven.get(loopKey(command));
    if (at === undefined || !isRecursive(command.lineage, command.target.spec.functionName)) return false;
    if (now - at < PROVEN_MS) {
      this.prove(command, now);
      return true;
    }
    this.proven.delete(loopKey(command));
    return false;
  }

  private alarm(command: InvokeCommand, invocation: 'sync' | 'async', reason: 'hops' | 'rate', limit: number): void {
    const { facts, clock } = this.options;
    const { account, functionName } = command.target.spec;
    const { requestId, lineage } = command;
    facts.append({
      type: 'loop-stopped',
      at: clock.now(),
      account,
      functionName,
      requestId,
      invocation,
      reason,
      limit,
      lineage,
    });
  }
}

function loopKey({ lineage, target }: InvokeCommand): string {
  return `${lineage.rootRequestId} ${target.spec.account}/${target.spec.functionName}`;
}

function branchError(lineage: Lineage): TidemillError {
  return new TidemillError(
    'LimitExceededError',
    `the call is one more branch of a loop that was stopped; it began with request ${lineage.rootRequestId}`,
    { remedy: 'Break the loop: a function must not cause the event that triggers it.' },
  );
}

/** The call descends from so many others that it must be a loop. */
function loopError(lineage: Lineage, limit: number): TidemillError {
  return new TidemillError(
    'LimitExceededError',
    `the call descends from ${lineage.hops} invocations in a row, the most allowed is ${limit}: probably a loop; it began with request ${lineage.rootRequestId}`,
    {
      remedy: `Break the loop: a function must not cause the event that triggers it. A function whose chains are meant to be longer sets its environment variable ${LOOP_VARIABLES.maxHops}.`,
    },
  );
}

function rateError(lineage: Lineage, limit: number): TidemillError {
  return new TidemillError(
    'ResourceExhausted',
    `request ${lineage.rootRequestId} has more than ${limit} descendants in a minute`,
    {
      remedy: `Call again later, or break the loop. A function that is meant to be called more often sets its environment variable ${LOOP_VARIABLES.descendantsPerMinute}.`,
    },
  );
}
