import { BinaryHeap } from '../../src/core/base/binary-heap.ts';
import type { Load } from './load.ts';
import type { Outcome, Sample } from './world.ts';

/** Knative's defaults (config-autoscaler of knative/serving 1.22). */
const STABLE_SECONDS = 60;
const PANIC_SECONDS = 6;
const TICK_MS = 2_000;
const PANIC_THRESHOLD = 2;
const UTILISATION = 0.7;
const MAX_SCALE_UP = 1_000;
const MAX_SCALE_DOWN = 2;

interface Pod {
  busy: boolean;
  ending: boolean;
}

type Due = { readonly at: number } & (
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly pod: Pod }
  | { readonly type: 'tick' }
);

/**
 * Knative's pod autoscaler for one revision with containerConcurrency 1: average concurrency in one-second buckets over a
 * stable (60 s) and a panic (6 s) window, a decision every 2 s and at once for the first request of an idle revision, panic
 * from twice the ready pods on without going down, at most halved per decision, to zero when the stable window is empty.
 * Left out, in its favour: probing, scraping by sample, the 30 s grace, and that a pod there takes seconds to start.
 */
class Revision {
  readonly waits: number[] = [];
  readonly samples: Sample[] = [];
  cold = 0;
  starts = 0;
  idleMs = 0;
  busyMs = 0;
  peak = 0;
  private now = 0;
  private readonly agenda = new BinaryHeap<Due>((a, b) => a.at < b.at);
  private readonly free: Pod[] = [];
  private readonly queue: { readonly at: number; readonly execMs: number }[] = [];
  private readonly buckets = new Float64Array(STABLE_SECONDS);
  private bucketSecond = 0;
  private firstSecond = 0;
  private ready = 0;
  private starting = 0;
  private surplus = 0;
  private inFlight = 0;
  private panicSince = -1;
  private panicPods = 0;
  private ticking = false;
  private readonly startMs: number;
  private readonly sampleMs: number | undefined;
  private nextSample = 0;

  constructor(startMs: number, sampleMs: number | undefined) {
    this.startMs = startMs;
    this.sampleMs = sampleMs;
  }

  run(calls: readonly { readonly at: number; readonly execMs: number }[], lengthMs: number): void {
    let next = 0;
    for (;;) {
      const arrival = calls[next]?.at ?? Number.POSITIVE_INFINITY;
      const due = this.agenda.peek()?.at ?? Number.POSITIVE_INFINITY;
      const at = Math.min(arrival, due);
      if (at > lengthMs) break;
      this.advance(at);
      if (due <= arrival) this.perform(this.agenda.pop());
      else this.arrive(calls[next++]);
      this.peak = Math.max(this.peak, this.ready + this.starting);
    }
    this.advance(lengthMs);
  }

  private get demand(): number {
    return this.inFlight + this.queue.length;
  }

  private advance(at: number): void {
    const busy = this.inFlight;
    this.busyMs += (at - this.now) * busy;
    this.idleMs += (at - this.now) * (this.ready - busy);
    for (let from = this.now; from < at; ) {
      const second = Math.floor(from / 1_000);
      const until = Math.min(at, (second + 1) * 1_000);
      this.bucketOf(second);
      const index = second % STABLE_SECONDS;
      this.buckets[index] = (this.buckets[index] ?? 0) + (this.demand * (until - from)) / 1_000;
      if (this.demand === 0 && at - from > STABLE_SECONDS * 1_000 && !this.ticking) {
        this.buckets.fill(0);
        this.bucketSecond = Math.floor(at / 1_000);
        break;
      }
      from = until;
    }
    if (this.sampleMs !== undefined) {
      for (; this.nextSample <= at; this.nextSample += this.sampleMs) {
        this.samples.push({ at: this.nextSample, demand: this.demand, instances: this.ready + this.starting });
      }
    }
    this.now = at;
  }

  /** Makes the bucket of this second the newest one. */
  private bucketOf(second: number): void {
    for (; this.bucketSecond < second; this.bucketSecond++) this.buckets[(this.bucketSecond + 1) % STABLE_SECONDS] = 0;
  }

  private arrive(call: { readonly at: number; readonly execMs: number } | undefined): void {
    if (call === undefined) return;
    const pod = this.free.pop();
    if (pod === undefined) this.queue.push(call);
    else this.serve(pod, call, false);
    if (this.ticking) return;
    this.ticking = true;
    this.firstSecond = Math.floor(this.now / 1_000);
    if (this.ready + this.starting === 0) this.scaleTo(1);
    this.agenda.push({ at: this.now + TICK_MS, type: 'tick' });
  }

  private serve(pod: Pod, call: { readonly at: number; readonly execMs: number }, cold: boolean): void {
    pod.busy = true;
    this.inFlight++;
    this.waits.push(this.now - call.at);
    if (cold) this.cold++;
    this.agenda.push({ at: this.now + call.execMs, type: 'done', pod });
  }

  private perform(due: Due | undefined): void {
    if (due === undefined) return;
    if (due.type === 'tick') return this.tick();
    if (due.type === 'ready') {
      this.starting--;
      this.ready++;
      return this.offer({ busy: false, ending: false }, true);
    }
    due.pod.busy = false;
    this.inFlight--;
    this.offer(due.pod, false);
  }

  private offer(pod: Pod, cold: boolean): void {
    if (this.surplus > 0) {
      this.surplus--;
      this.ready--;
      return;
    }
    const call = this.queue.shift();
    if (call === undefined) this.free.push(pod);
    else this.serve(pod, call, cold);
  }

  private average(seconds: number): number {
    // The running second is not complete: the window ends before it.
    const last = Math.floor(this.now / 1_000) - 1;
    this.bucketOf(last + 1);
    const valid = Math.max(1, Math.min(seconds, last - this.firstSecond + 1));
    let sum = 0;
    for (let i = 0; i < valid; i++) {
      const index = (last - i) % STABLE_SECONDS;
      sum += index >= 0 && last - i >= this.firstSecond ? (this.buckets[index] ?? 0) : 0;
    }
    return sum / valid;
  }

  private tick(): void {
    const ready = Math.max(1, this.ready);
    const clamp = (pods: number): number =>
      Math.max(Math.floor(ready / MAX_SCALE_DOWN), Math.min(pods, MAX_SCALE_UP * ready));
    const wanted = Math.ceil(this.average(STABLE_SECONDS - 1) / UTILISATION);
    const panicWanted = Math.ceil(this.average(PANIC_SECONDS) / UTILISATION);
    if (panicWanted / ready >= PANIC_THRESHOLD) this.panicSince = this.now;
    else if (this.panicSince >= 0 && this.now - this.panicSince > STABLE_SECONDS * 1_000) {
      this.panicSince = -1;
      this.panicPods = 0;
    }
    let pods = clamp(wanted);
    if (this.panicSince >= 0) {
      this.panicPods = Math.max(this.panicPods, pods, clamp(panicWanted));
      pods = this.panicPods;
    }
    // What is on its way is never given up: somebody waits for it.
    this.scaleTo(this.queue.length > 0 ? Math.max(pods, 1) : pods);
    if (this.ready + this.starting > 0 || this.demand > 0) this.agenda.push({ at: this.now + TICK_MS, type: 'tick' });
    else this.ticking = false;
  }

  private scaleTo(pods: number): void {
    let more = pods - (this.ready - this.surplus + this.starting);
    for (; more > 0 && this.surplus > 0; more--) this.surplus--;
    for (; more > 0; more--) {
      this.starts++;
      this.starting++;
      this.agenda.push({ at: this.now + this.startMs, type: 'ready' });
    }
    for (; more < 0; more++) {
      if (this.free.shift() === undefined) this.surplus++;
      else this.ready--;
    }
  }
}

/** Replays the load under Knative's autoscaler, a revision a function. */
export function replayKpa(load: Load, startMs: number, sampleMs?: number): Outcome {
  const waits: number[] = [];
  const sum = { cold: 0, starts: 0, idle: 0, busy: 0, peak: 0 };
  const coldOf: number[] = [];
  let samples: readonly Sample[] = [];
  const callsOf = load.functions.map((): { at: number; execMs: number }[] => []);
  for (const call of load.calls) callsOf[call.function]?.push(call);
  for (const [index, fn] of load.functions.entries()) {
    const revision = new Revision(startMs, sampleMs);
    revision.run(callsOf[index] ?? [], load.lengthMs);
    for (const wait of revision.waits) waits.push(wait);
    coldOf.push(revision.cold);
    sum.cold += revision.cold;
    sum.starts += revision.starts;
    sum.idle += (revision.idleMs * fn.memoryMb) / 1_000;
    sum.busy += (revision.busyMs * fn.memoryMb) / 1_000;
    sum.peak += revision.peak;
    samples = addSamples(samples, revision.samples);
  }
  const sorted = Float64Array.from(waits).sort();
  return {
    calls: load.calls.length,
    cold: sum.cold,
    refused: 0,
    starts: sum.starts,
    idleMbSeconds: sum.idle,
    busyMbSeconds: sum.busy,
    peak: sum.peak,
    worstWaitMs: sorted[sorted.length - 1] ?? 0,
    p99WaitMs: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    samples,
    coldOf,
  };
}

function addSamples(a: readonly Sample[], b: readonly Sample[]): readonly Sample[] {
  if (a.length === 0) return b;
  return a.map((sample, i) => ({
    at: sample.at,
    demand: sample.demand + (b[i]?.demand ?? 0),
    instances: sample.instances + (b[i]?.instances ?? 0),
  }));
}
