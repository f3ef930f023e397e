import type { ExitReason, InstanceExit } from '../../core/domain/instance.ts';
import type { SandboxExit } from '../../core/ports/sandbox.ts';

/**
 * The life of one instance as data. `failing`: its start failed and the remains are being removed. `stopping`: the pre-stop
 * hook runs. `ending`: it is being killed or is dead, and its remains are being removed.
 */
export type InstancePhase =
  | { readonly phase: 'starting' | 'failing' | 'ready' | 'stopping' | 'gone' }
  | { readonly phase: 'ending'; readonly reason: ExitReason; readonly announced: boolean };

export type InstanceEvent =
  | { readonly type: 'started' }
  | { readonly type: 'start-failed' }
  /** Asked to end in order: pre-stop hook first. */
  | { readonly type: 'stop' }
  | { readonly type: 'kill'; readonly reason: ExitReason }
  /** The pre-stop hook has ended, or its time is up. */
  | { readonly type: 'hook-ended' }
  /** The main process is gone. */
  | { readonly type: 'exited'; readonly exit: SandboxExit }
  /** Nothing of it is left on the host. */
  | { readonly type: 'destroyed' };

export type InstanceEffect =
  | { readonly type: 'journal' }
  | { readonly type: 'answer-started' }
  | { readonly type: 'answer-failed' }
  /** Makes the running start procedure give up; it reports `start-failed`. */
  | { readonly type: 'abort-start' }
  | { readonly type: 'run-pre-stop' }
  | { readonly type: 'kill'; readonly reason: ExitReason }
  | { readonly type: 'destroy' }
  | { readonly type: 'announce-exit'; readonly exit: Pick<InstanceExit, 'reason' | 'exitCode'> }
  /** Drops it from the journal and the table, and resolves whoever waits for its end. */
  | { readonly type: 'forget' };

export interface Transition {
  readonly state: InstancePhase;
  readonly effects: readonly InstanceEffect[];
}

function ending(reason: ExitReason): Transition {
  return { state: { phase: 'ending', reason, announced: false }, effects: [{ type: 'kill', reason }] };
}

function died(exit: SandboxExit): Transition {
  return {
    state: { phase: 'ending', reason: exit.reason, announced: true },
    effects: [{ type: 'announce-exit', exit }, { type: 'destroy' }],
  };
}

function starting(state: InstancePhase, event: InstanceEvent): Transition | undefined {
  switch (event.type) {
    case 'started':
      return { state: { phase: 'ready' }, effects: [{ type: 'journal' }, { type: 'answer-started' }] };
    case 'start-failed':
      return { state: { phase: 'failing' }, effects: [{ type: 'destroy' }] };
    case 'stop':
    case 'kill':
    case 'exited':
      return { state, effects: [{ type: 'abort-start' }] };
    case 'hook-ended':
    case 'destroyed':
      return undefined;
  }
}

function ready(event: InstanceEvent): Transition | undefined {
  switch (event.type) {
    case 'stop':
      return { state: { phase: 'stopping' }, effects: [{ type: 'run-pre-stop' }] };
    case 'kill':
      return ending(event.reason);
    case 'exited':
      return died(event.exit);
    case 'started':
    case 'start-failed':
    case 'hook-ended':
    case 'destroyed':
      return undefined;
  }
}

function stopping(event: InstanceEvent): Transition | undefined {
  switch (event.type) {
    case 'hook-ended':
      return ending('stopped');
    case 'kill':
      return ending(event.reason);
    case 'exited':
      return died(event.exit);
    case 'started':
    case 'start-failed':
    case 'stop':
    case 'destroyed':
      return undefined;
  }
}

function inEnding(state: InstancePhase & { phase: 'ending' }, event: InstanceEvent): Transition | undefined {
  switch (event.type) {
    case 'exited':
      return state.announced ? undefined : died(event.exit);
    case 'destroyed': {
      const forget: InstanceEffect = { type: 'forget' };
      // The sandbox vanished without saying how its process ended: the exit is still owed.
      const owed: InstanceEffect = { type: 'announce-exit', exit: { reason: state.reason } };
      return { state: { phase: 'gone' }, effects: state.announced ? [forget] : [owed, forget] };
    }
    case 'started':
    case 'start-failed':
    case 'stop':
    case 'kill':
    case 'hook-ended':
      return undefined;
  }
}

/**
 * The next state and what to do. Promises, for every order of events: an instance that became ready announces exactly one
 * exit, one that did not announces none; `answer-*` happens at most once; an event that means nothing in a state changes nothing.
 */
export function transition(state: InstancePhase, event: InstanceEvent): Transition {
  const next = ((): Transition | undefined => {
    switch (state.phase) {
      case 'starting':
        return starting(state, event);
      case 'failing':
        return event.type === 'destroyed'
          ? { state: { phase: 'gone' }, effects: [{ type: 'answer-failed' }, { type: 'forget' }] }
          : undefined;
      case 'ready':
        return ready(event);
      case 'stopping':
        return stopping(event);
      case 'ending':
        return inEnding(state, event);
      case 'gone':
        return undefined;
    }
  })();
  return next ?? { state, effects: [] };
}
