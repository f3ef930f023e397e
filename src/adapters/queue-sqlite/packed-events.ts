import type { TaskIdentity } from '../../core/domain/async-task.ts';
import type { WireEvent } from './wire.ts';

/**
 * The events of one or more `enqueue` calls in columns. Handing an object to another thread costs by the number of its
 * values, a text or an array of numbers by its length: for a thousand events this is a fifth of it.
 */
export interface PackedEvents {
  /** CALL_NUMBERS of each call, then EVENT_NUMBERS of each event; the order is that of `packEvents`. */
  readonly numbers: Float64Array;
  readonly calls: number;
  /** Ids and headers, one event after the other. */
  readonly text: string;
  /** Each key once. */
  readonly keys: readonly string[];
  /** Of the events that are followed as tasks, with their index. */
  readonly tasks: readonly (readonly [index: number, task: TaskIdentity])[];
}

/** One `enqueue` call before it is packed. */
export interface UnpackedCall {
  /** Wall clock, whole milliseconds. */
  readonly now: number;
  readonly events: readonly WireEvent[];
}

/** An event as it was before it was packed, with what travelled beside it. */
export interface UnpackedEvent extends WireEvent {
  readonly payload: Uint8Array;
  /** When it was accepted. */
  readonly now: number;
}

const CALL_NUMBERS = 2;
const EVENT_NUMBERS = 5;

export function packEvents(calls: readonly UnpackedCall[]): PackedEvents {
  let count = 0;
  for (const { events } of calls) count += events.length;
  const numbers = new Float64Array(calls.length * CALL_NUMBERS + count * EVENT_NUMBERS);
  const texts: string[] = [];
  const keys: string[] = [];
  const tasks: [number, TaskIdentity][] = [];
  const known = new Map<string, number>();
  let at = 0;
  for (const { now, events } of calls) {
    numbers[at++] = now;
    numbers[at++] = events.length;
  }
  for (const { events } of calls) {
    for (const { id, key, dueAt, headers, size, task } of events) {
      let keyIndex = known.get(key);
      if (keyIndex === undefined) {
        keyIndex = keys.push(key) - 1;
        known.set(key, keyIndex);
      }
      if (task !== undefined) tasks.push([texts.length / 2, task]);
      texts.push(id, headers);
      numbers[at++] = dueAt;
      numbers[at++] = keyIndex;
      numbers[at++] = id.length;
      numbers[at++] = headers.length;
      numbers[at++] = size;
    }
  }
  return { numbers, calls: calls.length, text: texts.join(''), keys, tasks };
}

/** What `packEvents` packed: how many events each call had, and all of them in order. `cut` gives the next so many bytes. */
export function unpackEvents(
  packed: PackedEvents,
  cut: (size: number) => Uint8Array,
): { readonly counts: number[]; readonly events: UnpackedEvent[] } {
  const { numbers, calls, text, keys } = packed;
  const next = (at: number): number => numbers[at] ?? 0;
  const tasks = packed.tasks.length === 0 ? undefined : new Map(packed.tasks);
  const counts: number[] = [];
  const events: UnpackedEvent[] = [];
  let at = calls * CALL_NUMBERS;
  let read = 0;
  for (let call = 0; call < calls; call++) {
    const now = next(call * CALL_NUMBERS);
    const count = next(call * CALL_NUMBERS + 1);
    counts.push(count);
    for (let n = 0; n < count; n++) {
      const idEnd = read + next(at + 2);
      const end = idEnd + next(at + 3);
      events.push({
        id: text.slice(read, idEnd),
        key: keys[next(at + 1)] ?? '',
        dueAt: next(at),
        headers: text.slice(idEnd, end),
        size: next(at + 4),
        task: tasks?.get(events.length),
        payload: cut(next(at + 4)),
        now,
      });
      read = end;
      at += EVENT_NUMBERS;
    }
  }
  return { counts, events };
}
