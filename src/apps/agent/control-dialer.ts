import { createFramesControlDialer } from '../../adapters/link-frames/index.ts';
import { createHttpControlDialer } from '../../adapters/link-http/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { RuntimeControlDialer } from '../../core/ports/runtime-control.ts';

/** Frames for built-in runtimes, HTTP for custom ones: the address says which. */
export function controlDialer(options: { readonly clock: Clock; readonly region: string }): RuntimeControlDialer {
  const frames = createFramesControlDialer({ clock: options.clock });
  const http = createHttpControlDialer(options);
  return {
    dial: (address, epoch, spec) => (address.kind === 'frames' ? frames : http).dial(address, epoch, spec),
  };
}
