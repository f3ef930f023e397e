import type { Disposable } from '../base/disposable.ts';
import type { HealthCheckConfig } from '../domain/function.ts';
import type { InstanceAddress } from '../domain/instance.ts';
import type { VersionSpec } from '../domain/version-spec.ts';
import type { Hello, Initialize, Initialized, Load, Loaded, PreStop, PreStopped } from '../protocol/runtime-frames.ts';

/** A life-cycle step did not answer within its time. The instance is in an unknown state: destroy it. */
export class RuntimeTimeoutError extends Error {
  override readonly name = 'RuntimeTimeoutError';
}

/**
 * The agent's way to one runtime: life cycle only, calls never pass here. Promises: each step answers once, rejects with
 * RuntimeTimeoutError after `timeoutMs`, or with LinkBrokenError (instance-link.ts) when the connection or the process
 * ended first. A failure of the user's code is an answer with `ok: false`, not a rejection. Steps are not repeated by the
 * control; the order is load, initialize, checkHealth, ... preStop.
 */
export interface RuntimeControl {
  /** What the runtime said when the control was dialled. Custom runtimes: `state` is `loaded` once `load` has answered. */
  readonly hello: Hello;
  /**
   * Built-in runtimes: loads the function. Custom runtimes: waits until the port accepts connections (FC reference 4.5);
   * then `ok` is false only with a RuntimeTimeoutError, never as an answer.
   */
  load(load: Load, timeoutMs: number): Promise<Loaded>;
  /** Call only when an initializer is configured. Custom runtimes: `POST /initialize`; `status` is then the HTTP status. */
  initialize(initialize: Initialize, timeoutMs: number): Promise<Initialized & { readonly status?: number }>;
  /** Custom runtimes: `GET /pre-stop`, whose result is ignored by the field; built-in: the hook's own answer. */
  preStop(preStop: PreStop, timeoutMs: number): Promise<PreStopped>;
  /** Gives memory back that the runtime can do without. Custom runtimes: nothing is asked of them. */
  trim(timeoutMs: number): Promise<void>;
  /**
   * One probe of the configured health check; built-in runtimes are healthy while the connection stands. `detail` is the
   * field's wording of the failure, e.g. `status code: 500`. Repeating (period, thresholds) is the caller's decision.
   */
  checkHealth(check: HealthCheckConfig): Promise<{ readonly ok: boolean; readonly detail: string }>;
  /** Language-level output outside calls: load, initializer, pre-stop, background work. Not aligned to lines. Built-in only. */
  onOutput(listener: (text: string) => void): Disposable;
  /** Resolves when the connection is gone, for whatever reason. Custom runtimes hold none: resolves on `close`. */
  readonly closed: Promise<void>;
  close(): void;
}

export interface RuntimeControlDialer {
  /**
   * Attaches as the agent. `spec` is undefined for a pooled runtime that has no function yet (built-in only); custom
   * runtimes need it for the headers of their life-cycle requests. Rejects with LinkBrokenError when nothing listens.
   */
  dial(address: InstanceAddress, epoch: number, spec: VersionSpec | undefined): Promise<RuntimeControl>;
}
