import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { RuntimeControl, RuntimeControlDialer } from '../../core/ports/runtime-control.ts';
import type {
  BareSandbox,
  SandboxExit,
  SandboxHandle,
  SandboxProcess,
  SandboxRuntime,
  SandboxSpec,
} from '../../core/ports/sandbox.ts';
import { InstanceOutputBuffer } from './instance-output.ts';

/** Life-cycle connections carry no leases: the lowest epoch never outranks a server's. */
export const CONTROL_EPOCH = 0;
/** A runtime that has not said hello by then is broken. */
const BOOT_TIMEOUT_MS = 30_000;

/** A sandbox whose runtime has booted and waits for its function. */
export interface BootedRuntime {
  readonly handle: SandboxHandle;
  readonly control: RuntimeControl;
  readonly output: InstanceOutputBuffer;
  readonly sandboxMs: number;
  readonly runtimeMs: number;
}

/** The runtime did not come up. */
export class BootFailedError extends Error {
  override readonly name = 'BootFailedError';
  /** Set when its process ended by itself. */
  readonly exit: SandboxExit | undefined;
  readonly lastOutput: string;
  constructor(message: string, lastOutput: string, exit: SandboxExit | undefined, cause: unknown) {
    super(message, { cause });
    this.exit = exit;
    this.lastOutput = lastOutput;
  }
}

interface BootParts {
  readonly sandboxes: SandboxRuntime;
  readonly dialer: RuntimeControlDialer;
  readonly clock: Clock;
}

/**
 * Makes a sandbox with a built-in runtime and attaches to it. Rejects with BootFailedError, leaving nothing on the host.
 * `onHandle` is told of the sandbox before its runtime has booted.
 */
export function bootRuntime(
  parts: BootParts,
  spec: SandboxSpec,
  onHandle?: (handle: SandboxHandle) => void,
): Promise<BootedRuntime> {
  return attached(parts, async () => {
    const handle = await parts.sandboxes.create(spec);
    onHandle?.(handle);
    return handle;
  });
}

/** As `bootRuntime`, in a bare sandbox that was made ahead; it is gone when this rejects. */
export function bootInBare(parts: BootParts, bare: BareSandbox, process: SandboxProcess): Promise<BootedRuntime> {
  return attached(parts, async () => {
    try {
      await bare.begin(process);
      return bare.handle;
    } catch (error) {
      await bare.handle.destroy();
      throw error;
    }
  });
}

async function attached(parts: BootParts, make: () => Promise<SandboxHandle>): Promise<BootedRuntime> {
  const begin = parts.clock.monotonic();
  let handle: SandboxHandle;
  try {
    handle = await make();
  } catch (error) {
    throw new BootFailedError(`the sandbox could not be made: ${text(error)}`, '', undefined, error);
  }
  const created = parts.clock.monotonic();
  const output = new InstanceOutputBuffer();
  handle.onOutput((chunk) => output.push(chunk));
  try {
    if (handle.socketPath === undefined) throw new Error('the sandbox has no socket');
    const address = { kind: 'frames', path: handle.socketPath } as const;
    const dialling = parts.dialer.dial(address, CONTROL_EPOCH, undefined);
    const control = await firstOf(parts.clock, dialling, handle, BOOT_TIMEOUT_MS).catch((error: unknown) => {
      dialling.then((late) => late.close()).catch(() => undefined);
      throw error;
    });
    control.onOutput((chunk) => output.push(Buffer.from(chunk)));
    const runtimeMs = parts.clock.monotonic() - created;
    return { handle, control, output, sandboxMs: created - begin, runtimeMs };
  } catch (error) {
    const exit = await exitSoon(parts.clock, handle);
    await handle.destroy();
    throw new BootFailedError(`the runtime did not boot: ${text(error)}`, output.lastOutput(), exit, error);
  }
}

/** `step`, unless the sandbox's process ends before it (LinkBrokenError) or the time is up. */
export async function firstOf<T>(
  clock: Clock,
  step: Promise<T>,
  handle: Pick<SandboxHandle, 'exited'>,
  timeoutMs: number,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
    step.then(resolve, reject).finally(() => timer.dispose());
    void handle.exited.then(() => {
      timer.dispose();
      reject(new LinkBrokenError('the process ended'));
    });
  });
}

/** How the process ended, when it did: a broken connection is seen a little before the exit is. */
export function exitSoon(clock: Clock, handle: Pick<SandboxHandle, 'exited'>): Promise<SandboxExit | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(500, () => resolve(undefined));
    void handle.exited.then((exit) => {
      timer.dispose();
      resolve(exit);
    });
  });
}

export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
