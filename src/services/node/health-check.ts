import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';
import type { HealthCheckConfig } from '../../core/domain/function.ts';
import type { RuntimeControl } from '../../core/ports/runtime-control.ts';
import { text } from './runtime-boot.ts';

/** How far a health check has come: `successes` and `failures` in a row. */
export interface HealthCount {
  readonly successes: number;
  readonly failures: number;
}

export type HealthVerdict = 'healthy' | 'unhealthy' | 'undecided';

/** Counts one probe; a threshold reached decides. Pure. */
export function countProbe(
  check: HealthCheckConfig,
  count: HealthCount,
  ok: boolean,
): { readonly count: HealthCount; readonly verdict: HealthVerdict } {
  const next = ok ? { successes: count.successes + 1, failures: 0 } : { successes: 0, failures: count.failures + 1 };
  if (next.successes >= check.successThreshold) return { count: next, verdict: 'healthy' };
  return { count: next, verdict: next.failures >= check.failureThreshold ? 'unhealthy' : 'undecided' };
}

function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

async function probe(control: RuntimeControl, check: HealthCheckConfig): Promise<{ ok: boolean; detail: string }> {
  try {
    return await control.checkHealth(check);
  } catch (error) {
    return { ok: false, detail: text(error) };
  }
}

/** Probes a starting instance until a threshold decides; resolves with the failure's wording, or undefined when healthy. */
export async function firstHealth(
  control: RuntimeControl,
  check: HealthCheckConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (check.initialDelaySeconds > 0) await delay(clock, check.initialDelaySeconds * 1000);
  let count: HealthCount = { successes: 0, failures: 0 };
  while (!signal.aborted) {
    const result = await probe(control, check);
    const counted = countProbe(check, count, result.ok);
    if (counted.verdict !== 'undecided') return counted.verdict === 'healthy' ? undefined : result.detail;
    count = counted.count;
    await delay(clock, check.periodSeconds * 1000);
  }
  return undefined;
}

/**
 * Probes a running instance every period; calls `onUnhealthy` once, when the failure threshold is reached. Nothing is asked
 * of an instance while it is `paused`, and a probe during which it was paused counts for nothing.
 */
export function watchHealth(
  control: RuntimeControl,
  check: HealthCheckConfig,
  clock: Clock,
  instance: { paused(): boolean; onUnhealthy(detail: string): void },
): Disposable {
  let count: HealthCount = { successes: 0, failures: 0 };
  let stopped = false;
  let timer: Disposable | undefined;
  const next = () => {
    timer = clock.after(check.periodSeconds * 1000, () => void round());
  };
  const round = async () => {
    if (instance.paused()) return next();
    const result = await probe(control, check);
    if (stopped) return;
    if (instance.paused()) return next();
    const counted = countProbe(check, count, result.ok);
    count = counted.count;
    if (counted.verdict === 'unhealthy') instance.onUnhealthy(result.detail);
    else next();
  };
  next();
  return toDisposable(() => {
    stopped = true;
    timer?.dispose();
  });
}
