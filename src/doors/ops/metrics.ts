import type { Fact } from '../../core/domain/fact.ts';
import type { PauseCounts } from '../../core/ports/scheduling.ts';

/** Upper bounds of the duration histogram, milliseconds. */
const BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000];
/** Functions beyond this many share one line: metrics must not grow with the number of functions. */
const MAX_FUNCTIONS = 2_000;

interface FunctionCounts {
  readonly account: string;
  readonly functionName: string;
  sync: number;
  async: number;
  coldStarts: number;
  readonly errors: Map<string, number>;
  /** By the limit that was reached. */
  readonly throttled: Map<string, number>;
  /** Loops stopped, by what showed them. */
  readonly loops: Map<string, number>;
}

/** What is measured elsewhere at the moment of a scrape. */
export interface Gauges {
  readonly version: string;
  readonly instances: readonly { readonly node: string; readonly zone: string; readonly count: number }[];
  readonly pauses: PauseCounts;
  /** Booted runtimes without a function, over all nodes. */
  readonly pooled: Readonly<Record<string, number>>;
  /** Sandboxes that wait for a runtime, by kind. */
  readonly bare: Readonly<Record<string, number>>;
  readonly queue: { readonly waiting: number; readonly leased: number };
  /** Of the functions that have most; `key` is `account/function`, deliveries of results have one of their own. */
  readonly queues: readonly {
    readonly key: string;
    readonly waiting: number;
    readonly leased: number;
    readonly ageMs: number;
  }[];
  /** What accounts use of their quotas, for those quotas whose use is known without reading through the account. */
  readonly accounts: readonly {
    readonly account: string;
    readonly quota: string;
    readonly used: number;
    readonly most: number;
  }[];
  readonly letters: readonly { readonly account: string; readonly functionName: string; readonly count: number }[];
}

/** A fold over facts, since the start of this process, rendered as Prometheus text. */
export class MetricsFold {
  private readonly functions = new Map<string, FunctionCounts>();
  private readonly buckets = new Float64Array(BUCKETS.length + 1);
  private durationSumMs = 0;
  private readonly starts = { pool: 0, bare: 0, scratch: 0 };
  private readonly ends = new Map<string, number>();
  private readonly deliveries = new Map<string, number>();
  private accepted = 0;

  /** Called for every fact, on the warm path: no allocation for a function already known. */
  record(fact: Fact): void {
    if (fact.type === 'invocation-settled') {
      const counts = this.countsOf(fact.account, fact.functionName);
      counts[fact.invocation]++;
      if (fact.timings.cold) counts.coldStarts++;
      if (fact.errorType !== undefined) bump(counts.errors, fact.errorType);
      else if (fact.status >= 400) bump(counts.errors, String(fact.status));
      if (fact.throttled !== undefined) bump(counts.throttled, fact.throttled);
      this.observe(fact.durationMs);
    } else if (fact.type === 'instance-started') this.starts[fact.from]++;
    else if (fact.type === 'event-accepted') this.accepted++;
    else if (fact.type === 'event-ended') bump(this.ends, fact.state);
    else if (fact.type === 'loop-stopped') bump(this.countsOf(fact.account, fact.functionName).loops, fact.reason);
    else if (fact.type === 'delivery-ended') bump(this.deliveries, fact.state);
  }

  render(gauges: Gauges): string {
    const text = new PrometheusText();
    text.family('tidemill_info', 'gauge', 'Version of the platform.').sample('', { version: gauges.version }, 1);
    const counts = [...this.functions.values()];
    text.family('tidemill_invocations_total', 'counter', 'Settled invocations.');
    for (const each of counts) {
      text.sample('', { ...labels(each), type: 'sync' }, each.sync);
      text.sample('', { ...labels(each), type: 'async' }, each.async);
    }
    text.family('tidemill_invocation_errors_total', 'counter', 'Invocations that failed, by error type or status.');
    for (const each of counts) for (const [code, n] of each.errors) text.sample('', { ...labels(each), code }, n);
    text.family('tidemill_throttled_total', 'counter', 'Calls refused by a limit before they ran, by limit.');
    for (const each of counts)
      for (const [reason, n] of each.throttled) text.sample('', { ...labels(each), reason }, n);
    text.family('tidemill_loops_stopped_total', 'counter', 'Calls and events not run since they look like a loop.');
    for (const each of counts) for (const [reason, n] of each.loops) text.sample('', { ...labels(each), reason }, n);
    text.family('tidemill_cold_starts_total', 'counter', 'Invocations that waited for an instance to start.');
    for (const each of counts) text.sample('', labels(each), each.coldStarts);
    this.renderDurations(text);
    text.family(
      'tidemill_instance_starts_total',
      'counter',
      'Instances started: with a waiting runtime, in a waiting sandbox, or from scratch.',
    );
    for (const [from, count] of Object.entries(this.starts)) text.sample('', { from }, count);
    text.family('tidemill_instances', 'gauge', 'Running instances per node.');
    for (const { node, zone, count } of gauges.instances) text.sample('', { node, zone }, count);
    renderPauses(text, gauges.pauses);
    text.family('tidemill_pool_ready', 'gauge', 'Booted runtimes that wait for a function, by runtime.');
    for (const [runtime, n] of Object.entries(gauges.pooled)) text.sample('', { runtime }, n);
    text.family('tidemill_bare_ready', 'gauge', 'Sandboxes that wait for a runtime, by kind.');
    for (const [kind, n] of Object.entries(gauges.bare)) text.sample('', { kind }, n);
    text.family('tidemill_queue_depth', 'gauge', 'Accepted async events that have not reached their end.');
    text.sample('', { state: 'waiting' }, gauges.queue.waiting).sample('', { state: 'leased' }, gauges.queue.leased);
    this.renderQueues(text, gauges);
    this.renderAccounts(text, gauges);
    text
      .family('tidemill_events_accepted_total', 'counter', 'Async events durably accepted.')
      .sample('', {}, this.accepted);
    text.family('tidemill_events_ended_total', 'counter', 'Async events that reached their recorded end.');
    for (const [state, n] of this.ends) text.sample('', { state }, n);
    return text.toString();
  }

  private renderAccounts(text: PrometheusText, { accounts }: Gauges): void {
    text.family('tidemill_account_used', 'gauge', 'What an account uses of a quota.');
    for (const { account, quota, used } of accounts) text.sample('', { account, quota }, used);
    text.family('tidemill_account_quota', 'gauge', 'What an account may use of a quota.');
    for (const { account, quota, most } of accounts) text.sample('', { account, quota }, most);
  }

  private renderQueues(text: PrometheusText, { queues, letters }: Gauges): void {
    text.family(
      'tidemill_function_queue_depth',
      'gauge',
      'Async events of a function that have not reached their end.',
    );
    for (const { key, waiting, leased } of queues) {
      text.sample('', { ...keyLabels(key), state: 'waiting' }, waiting);
      text.sample('', { ...keyLabels(key), state: 'leased' }, leased);
    }
    text.family('tidemill_function_queue_age_seconds', 'gauge', 'Since the oldest of them was accepted.');
    for (const { key, ageMs } of queues) text.sample('', keyLabels(key), ageMs / 1000);
    text.family('tidemill_dead_letters', 'gauge', 'Dead letters that wait to be redriven or deleted.');
    for (const each of letters) text.sample('', labels(each), each.count);
    text.family('tidemill_deliveries_ended_total', 'counter', 'Results taken by their destination, or given up.');
    for (const [state, n] of this.deliveries) text.sample('', { state }, n);
  }

  private renderDurations(text: PrometheusText): void {
    text.family('tidemill_invocation_duration_seconds', 'histogram', 'Time from accepted to settled.');
    let total = 0;
    for (const [i, bound] of BUCKETS.entries()) {
      total += this.buckets[i] ?? 0;
      text.sample('_bucket', { le: String(bound / 1000) }, total);
    }
    total += this.buckets[BUCKETS.length] ?? 0;
    text.sample('_bucket', { le: '+Inf' }, total);
    text.sample('_sum', {}, this.durationSumMs / 1000).sample('_count', {}, total);
  }

  private observe(durationMs: number): void {
    let i = 0;
    while (i < BUCKETS.length && durationMs > (BUCKETS[i] ?? 0)) i++;
    this.buckets[i] = (this.buckets[i] ?? 0) + 1;
    this.durationSumMs += durationMs;
  }

  private countsOf(account: string, functionName: string): FunctionCounts {
    const full = this.functions.size >= MAX_FUNCTIONS;
    const key = `${account}/${functionName}`;
    const known = this.functions.get(key) ?? (full ? this.functions.get('') : undefined);
    if (known !== undefined) return known;
    const identity = full ? { account: '', functionName: '(others)' } : { account, functionName };
    const counts = {
      ...identity,
      sync: 0,
      async: 0,
      coldStarts: 0,
      errors: new Map<string, number>(),
      throttled: new Map<string, number>(),
      loops: new Map<string, number>(),
    };
    this.functions.set(full ? '' : key, counts);
    return counts;
  }
}

function renderPauses(text: PrometheusText, pauses: PauseCounts): void {
  text.family('tidemill_instances_by_pause', 'gauge', 'Instances that run, stand still, or stand still shrunk.');
  for (const [pause, { instances }] of Object.entries(pauses)) text.sample('', { pause }, instances);
  text.family('tidemill_instance_memory_bytes', 'gauge', 'Memory of these instances when they were last looked at.');
  for (const [pause, { memoryBytes }] of Object.entries(pauses)) text.sample('', { pause }, memoryBytes);
}

function labels(counts: Pick<FunctionCounts, 'account' | 'functionName'>): Record<string, string> {
  return { account: counts.account, function: counts.functionName };
}

function keyLabels(key: string): Record<string, string> {
  const slash = key.indexOf('/');
  return { account: key.slice(0, slash), function: key.slice(slash + 1) };
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

class PrometheusText {
  private readonly lines: string[] = [];
  private name = '';

  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): this {
    this.name = name;
    this.lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    return this;
  }

  sample(suffix: string, sampleLabels: Readonly<Record<string, string>>, value: number): this {
    const inner = Object.entries(sampleLabels)
      .map(([label, text]) => `${label}="${text.replace(/["\\\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
      .join(',');
    this.lines.push(`${this.name}${suffix}${inner === '' ? '' : `{${inner}}`} ${value}`);
    return this;
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }
}
