import type { Evidence, HistoryEntry, Testimony } from './history.ts';

type Of<K extends HistoryEntry['kind']> = Extract<HistoryEntry, { kind: K }>;

/**
 * Judges a round by what callers were told, what functions told the witness, and what the platform recorded. Pure. One line for
 * every broken promise; empty when all were kept.
 */
export function violations(evidence: Evidence): readonly string[] {
  return [
    ...everyEventEndsOnce(evidence),
    ...nothingRanUnasked(evidence),
    ...runsNeverOverlap(evidence),
    ...retriesWithinLimits(evidence),
    ...everySuccessWasDelivered(evidence),
    ...answersAreOwn(evidence),
    ...objectsAreKept(evidence),
    ...deploysAreKept(evidence),
  ];
}

function of<K extends HistoryEntry['kind']>(evidence: Evidence, kind: K): readonly Of<K>[] {
  return evidence.history.filter((entry): entry is Of<K> => entry.kind === kind);
}

/** Accepted: exactly one recorded end. Uncertain: at most one. Refused: none. */
function everyEventEndsOnce(evidence: Evidence): string[] {
  const ends = Map.groupBy(evidence.ends, (end) => end.taskId);
  return of(evidence, 'event').flatMap(({ id, told }) => {
    const count = ends.get(id)?.length ?? 0;
    if (told === 'ok' && count === 0) return [`event ${id} was accepted and has no end: it is lost`];
    if (told === 'refused' && count > 0) return [`event ${id} was refused and has an end`];
    return count > 1 ? [`event ${id} has ${count} ends`] : [];
  });
}

function nothingRanUnasked(evidence: Evidence): string[] {
  const asked = new Map<string, string>();
  for (const entry of evidence.history) {
    if (entry.kind === 'event' || entry.kind === 'call') asked.set(entry.id, entry.told);
  }
  const refusedCalls = new Set(of(evidence, 'call').flatMap(({ id, told }) => (told === 'refused' ? [id] : [])));
  const ran = new Set(evidence.testimony.filter(({ what }) => what === 'begin').map(({ id }) => id));
  return [...ran].flatMap((id) => {
    const told = asked.get(id);
    if (told === undefined) return [`${id} ran and nobody had asked for it`];
    // A call may be refused while it runs (its time is up, its instance was killed); an event that was refused must not run.
    return told === 'refused' && !refusedCalls.has(id) ? [`event ${id} was refused and ran`] : [];
  });
}

/** A run that was killed has no end; of those that have one, none may have begun inside another of the same event. */
function runsNeverOverlap(evidence: Evidence): string[] {
  const problems: string[] = [];
  for (const [id, said] of Map.groupBy(evidence.testimony, ({ id }) => id)) {
    const ended = new Map(said.filter(({ what }) => what === 'end').map((each) => [each.run, each.at]));
    const begun = said.filter(({ what }) => what === 'begin');
    for (const one of begun) {
      const end = ended.get(one.run);
      if (end === undefined) continue;
      const inside = begun.find((other) => other.run !== one.run && other.at > one.at && other.at < end);
      if (inside !== undefined)
        problems.push(`two runs of ${id} overlap: ${span(one, end)} and one begun ${ms(inside.at)}`);
    }
  }
  return problems;
}

/** Completed runs are bounded by the retries asked for; a run whose answer got lost with a killed process may be repeated. */
function retriesWithinLimits(evidence: Evidence): string[] {
  const limit = evidence.maxRetries + 1;
  const faults = of(evidence, 'fault').length;
  const completed = new Map<string, number>();
  for (const { what, id } of evidence.testimony) if (what === 'end') completed.set(id, (completed.get(id) ?? 0) + 1);
  const events = new Set(of(evidence, 'event').map(({ id }) => id));
  return [
    ...evidence.ends.flatMap(({ taskId, attempts }) =>
      attempts > limit ? [`event ${taskId} counts ${attempts} attempts, ${limit} are allowed`] : [],
    ),
    ...[...completed].flatMap(([id, count]) =>
      events.has(id) && count > limit + faults
        ? [`event ${id} ran ${count} times to its end, with ${faults} faults ${limit + faults} are allowed`]
        : [],
    ),
  ];
}

function everySuccessWasDelivered(evidence: Evidence): string[] {
  if (!evidence.destination) return [];
  const delivered = new Set(evidence.testimony.filter(({ what }) => what === 'delivered').map(({ id }) => id));
  return evidence.ends.flatMap(({ taskId, state }) =>
    state === 'Succeeded' && !delivered.has(taskId)
      ? [`the success of event ${taskId} never reached its destination`]
      : [],
  );
}

function answersAreOwn(evidence: Evidence): string[] {
  return of(evidence, 'call').flatMap(({ id, told, answered }) =>
    told === 'ok' && answered !== id ? [`call ${id} got the answer of ${answered ?? 'nobody'}`] : [],
  );
}

/** What is found under a key is the last write that was acknowledged, or one behind it that may have happened. */
function objectsAreKept(evidence: Evidence): string[] {
  return [...Map.groupBy(of(evidence, 'object'), ({ key }) => key)].flatMap(([key, writes]) => {
    const found = evidence.objects.get(key);
    const last = writes.findLastIndex(({ told }) => told === 'ok');
    const possible = writes.filter(({ told }, index) => index === last || (index > last && told === 'unknown'));
    if (found === undefined) return last >= 0 ? [`object ${key} was written and is gone`] : [];
    if (last < 0 && possible.length === 0) return [`object ${key} was refused and is there`];
    return possible.some(({ text }) => text === found)
      ? []
      : [`object ${key} holds something else than was written last`];
  });
}

function deploysAreKept(evidence: Evidence): string[] {
  const deploys = of(evidence, 'deploy');
  const last = deploys.findLastIndex(({ told }) => told === 'ok');
  const possible = deploys.filter(({ told }, index) => index === last || (index > last && told === 'unknown'));
  const known = possible.some(({ generation }) => generation === evidence.generation);
  return known || deploys.length === 0
    ? []
    : [`generation ${evidence.generation} answers, the last deployed is ${deploys[last]?.generation ?? 'none'}`];
}

function ms(at: number): string {
  return `at ${Math.round(at)} ms`;
}

function span(begin: Testimony, end: number): string {
  return `${ms(begin.at)} to ${Math.round(end)} ms`;
}
