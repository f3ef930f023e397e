import { mkdtemp, rm } from 'node:fs/promises';
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FcClient } from '../api/fc-client.ts';
import { ObjectsClient } from '../api/objects-client.ts';
import { violations } from './checker.ts';
import { SmallDisk } from './disk.ts';
import { collectEvidence } from './evidence.ts';
import { drawFault, type FaultName, faketime, type FaultTarget, makeFault } from './faults.ts';
import { BUCKET, configureAsync, CUSTOM, deployFunction, SINK, WORKER } from './functions.ts';
import type { Evidence, HistoryEntry } from './history.ts';
import { seededRandom } from '../../../core/base/seeded-random.ts';
import { Subject } from './subject.ts';
import { WitnessStand } from './witness-stand.ts';
import { Workload } from './workload.ts';

export interface RoundOptions {
  readonly seed: number;
  readonly seconds: number;
  /** How long accepted events may take to their end once the faults are over: retries back off. */
  readonly settleSeconds: number;
  /** Command that starts the platform. */
  readonly program: readonly string[];
  readonly isolation: string;
  readonly faults: readonly FaultName[];
  readonly say: (text: string) => void;
  /** Aborted: clean up and reject with its reason. */
  readonly signal: AbortSignal;
}

export interface RoundResult {
  readonly seed: number;
  readonly seconds: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  readonly evidence: Evidence;
  readonly log: string;
}

/** Between two faults. */
const REST_MS = 1_500;

/**
 * One round: an installation of its own, users who deploy, call, write and send events, faults drawn from the seed, and the
 * judgement afterwards. Everything it made is gone when it resolves.
 */
export async function playRound(options: RoundOptions): Promise<RoundResult> {
  const home = realpathSync(await mkdtemp(join(tmpdir(), 'tidemill-chaos-')));
  const undo: (() => Promise<unknown>)[] = [() => rm(home, { recursive: true, force: true })];
  try {
    const disk = options.faults.includes('disk-full') ? await SmallDisk.make(home) : undefined;
    if (disk !== undefined) undo.push(() => disk.remove());
    const witness = await WitnessStand.open(options.isolation !== 'process');
    undo.push(() => witness.close());
    const { program, isolation } = options;
    const data = join(disk?.folder ?? home, 'data');
    const jumps = options.faults.includes('clock-jump');
    const subject = new Subject({ program, home, data, isolation, faketime: jumps ? faketime() : undefined });
    await subject.start();
    undo.push(() => subject.end());
    const history: HistoryEntry[] = [];
    const random = seededRandom(options.seed);
    await prepare(subject, witness.url);
    const target = { subject, data, disk, random };
    await play(options, target, { history, witness: witness.url });
    options.say('the faults are over: waiting for every event to reach its end');
    const evidence = await collectEvidence(subject, history, witness.testimony, {
      settleMs: options.settleSeconds * 1_000,
      signal: options.signal,
    });
    return resultOf(options, evidence, subject.log.join(''));
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function prepare(subject: Subject, witness: string): Promise<void> {
  const { connection } = subject;
  const client = new FcClient(connection);
  const settings = { witness, generation: 1, create: true };
  await deployFunction(client, SINK, settings);
  await deployFunction(client, WORKER, settings);
  await deployFunction(client, CUSTOM, settings);
  await configureAsync(client, connection.accountId ?? '', connection.region ?? '');
  await new ObjectsClient(connection).makeBucket(BUCKET);
}

async function play(
  options: RoundOptions,
  target: FaultTarget,
  { history, witness }: { readonly history: HistoryEntry[]; readonly witness: string },
): Promise<void> {
  const { subject } = target;
  history.push({ kind: 'deploy', at: performance.now(), generation: 1, told: 'ok' });
  const end = performance.now() + options.seconds * 1_000;
  const running = (): boolean => performance.now() < end && !options.signal.aborted;
  // Users draw from a generator of their own: how fast they are does not change which faults come.
  const users = seededRandom(options.seed + 1);
  const workload = new Workload({ subject, random: users, witness, history, running }).run();
  while (running() && options.faults.length > 0) {
    await pause(REST_MS * (0.3 + 1.4 * target.random()));
    const fault = drawFault(options.faults, target.random);
    const at = performance.now();
    const detail = await makeFault(fault, target);
    history.push({ kind: 'fault', at, fault, detail });
    options.say(`${(at / 1_000).toFixed(1)} s  ${fault}: ${detail}`);
  }
  await workload;
  options.signal.throwIfAborted();
  subject.setClock(0);
}

function resultOf(options: RoundOptions, evidence: Evidence, log: string): RoundResult {
  const counts: Record<string, number> = {};
  const faults: Record<string, number> = {};
  const count = (into: Record<string, number>, name: string): void => {
    into[name] = (into[name] ?? 0) + 1;
  };
  for (const entry of evidence.history) {
    if (entry.kind === 'fault') count(faults, entry.fault);
    else count(counts, `${entry.kind} ${entry.told}`);
  }
  for (const { what } of evidence.testimony) count(counts, `runs ${what}`);
  for (const { state } of evidence.ends) count(counts, `ends ${state}`);
  const { seed, seconds } = options;
  return { seed, seconds, counts, faults, violations: violations(evidence), evidence, log };
}
