import { createFramesInstanceDialer } from '../../adapters/link-frames/index.ts';
import { createHttpInstanceDialer } from '../../adapters/link-http/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { InstanceDialer } from '../../core/ports/instance-link.ts';

/** Frames for built-in runtimes, HTTP for custom ones: the address says which. */
export function instanceDialer(options: { readonly clock: Clock; readonly region: string }): InstanceDialer {
  const frames = createFramesInstanceDialer({ clock: options.clock });
  const http = createHttpInstanceDialer({ region: options.region });
  return {
    dial: (address, spec, epoch) => (address.kind === 'frames' ? frames : http).dial(address, spec, epoch),
  };
}
