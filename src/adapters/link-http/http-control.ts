import { Pool } from 'undici';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';
import type { HealthCheckConfig } from '../../core/domain/function.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import { type RuntimeControl, RuntimeTimeoutError } from '../../core/ports/runtime-control.ts';
import type {
  Hello,
  Initialize,
  Initialized,
  Load,
  Loaded,
  PreStop,
  PreStopped,
} from '../../core/protocol/runtime-frames.ts';
import { linkFailure } from './http-failure.ts';
import { type FlatHeaders, InstanceHeaders } from './instance-headers.ts';
import { waitForPort } from './port-readiness.ts';

/** Of an initializer's answer, this much can become the error message. */
const MESSAGE_CHARACTERS = 4096;

interface Exchange {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: FlatHeaders;
  readonly timeoutMs: number;
}

/** RuntimeControl of a custom runtime: the life-cycle requests of FC reference 4.5. Holds no connection between them. */
export class HttpControl implements RuntimeControl {
  readonly hello: Hello = { protocol: 1, runtime: 'http', state: 'booted', busy: [] };
  readonly closed: Promise<void>;
  private readonly host: string;
  private readonly port: number;
  private readonly spec: VersionSpec;
  private readonly clock: Clock;
  private readonly pool: Pool;
  private readonly headers: InstanceHeaders;
  private readonly end = new AbortController();

  constructor(address: { host: string; port: number }, spec: VersionSpec, region: string, clock: Clock) {
    this.host = address.host;
    this.port = address.port;
    this.spec = spec;
    this.clock = clock;
    this.headers = new InstanceHeaders(spec, region);
    this.pool = new Pool(`http://${address.host}:${address.port}`, {
      connections: 1,
      pipelining: 0,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.closed = new Promise((resolve) => this.end.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  async load(_load: Load, timeoutMs: number): Promise<Loaded> {
    const started = this.clock.monotonic();
    await waitForPort(this.host, this.port, timeoutMs, this.clock, this.end.signal);
    return { ok: true, ms: this.clock.monotonic() - started };
  }

  async initialize(initialize: Initialize, timeoutMs: number): Promise<Initialized & { status: number }> {
    const started = this.clock.monotonic();
    const headers = this.headers.of('/initialize', this.identity(initialize));
    const { status, text } = await this.exchange({
      name: 'initializer',
      method: 'POST',
      path: '/initialize',
      headers,
      timeoutMs,
    });
    const ms = this.clock.monotonic() - started;
    if (status >= 200 && status < 300) return { ok: true, ms, status };
    const errorMessage = text === '' ? `The initializer answered with status code ${status}` : text;
    return { ok: false, ms, status, error: { errorMessage, errorType: 'InitializationError', stackTrace: [] } };
  }

  async preStop(preStop: PreStop, timeoutMs: number): Promise<PreStopped> {
    const started = this.clock.monotonic();
    const headers = this.headers.of('/pre-stop', this.identity({ requestId: preStop.requestId }));
    await this.exchange({ name: 'pre-stop hook', method: 'GET', path: '/pre-stop', headers, timeoutMs });
    return { ok: true, ms: this.clock.monotonic() - started };
  }

  trim(): Promise<void> {
    return Promise.resolve();
  }

  async checkHealth(check: HealthCheckConfig): Promise<{ ok: boolean; detail: string }> {
    const path = check.httpGetUrl.startsWith('/') ? check.httpGetUrl : `/${check.httpGetUrl}`;
    const timeoutMs = check.timeoutSeconds * 1000;
    try {
      const { status } = await this.exchange({ name: 'health check', method: 'GET', path, headers: [], timeoutMs });
      return { ok: status >= 200 && status < 400, detail: `status code: ${status}` };
    } catch (error) {
      return { ok: false, detail: error instanceof Error ? error.message : String(error) };
    }
  }

  /** A custom runtime's output is what its process writes: the sandbox has it. */
  onOutput(): Disposable {
    return toDisposable(() => {});
  }

  close(): void {
    if (this.end.signal.aborted) return;
    this.end.abort(new LinkBrokenError('the control was closed'));
    this.pool.destroy().catch(() => {}); // what is in flight has been rejected; nothing else can fail
  }

  private identity(request: Initialize) {
    const { requestId, credentials } = request;
    return { requestId, qualifier: this.spec.versionId, retryCount: 0, credentials };
  }

  private async exchange(exchange: Exchange): Promise<{ status: number; text: string }> {
    const limit = new AbortController();
    const late = new RuntimeTimeoutError(`the ${exchange.name} did not finish within ${exchange.timeoutMs} ms`);
    const timer = this.clock.after(exchange.timeoutMs, () => limit.abort(late));
    const signal = AbortSignal.any([this.end.signal, limit.signal]);
    try {
      const { method, path, headers } = exchange;
      const response = await this.pool.request({ method, path, headers, signal });
      const text = (await response.body.text()).slice(0, MESSAGE_CHARACTERS);
      return { status: response.statusCode, text };
    } catch (error) {
      throw linkFailure(error, signal);
    } finally {
      timer.dispose();
    }
  }
}
