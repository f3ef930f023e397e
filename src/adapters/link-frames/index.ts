import type { Clock } from '../../core/base/clock.ts';
import type { InstanceDialer } from '../../core/ports/instance-link.ts';
import type { RuntimeControlDialer } from '../../core/ports/runtime-control.ts';
import type { InstanceAddress } from '../../core/domain/instance.ts';
import { attach } from './attachment.ts';
import { FramesControl } from './frames-control.ts';
import { FramesLink } from './frames-link.ts';

/** The server's dialer for built-in runtimes (`address.kind` is `frames`). */
export function createFramesInstanceDialer(options: { readonly clock: Clock }): InstanceDialer {
  return {
    async dial(address, spec, epoch) {
      const channel = spec.config.disableInjectCredentials;
      const attachment = await attach(pathOf(address), { role: 'server', epoch }, options.clock);
      return new FramesLink(attachment, {
        sendCredentials: channel !== 'Request' && channel !== 'All',
        serial: spec.config.instanceConcurrency === 1,
      });
    },
  };
}

/** The agent's dialer for built-in runtimes. */
export function createFramesControlDialer(options: { readonly clock: Clock }): RuntimeControlDialer {
  return {
    async dial(address, epoch) {
      return new FramesControl(await attach(pathOf(address), { role: 'agent', epoch }, options.clock), options.clock);
    },
  };
}

function pathOf(address: InstanceAddress): string {
  if (address.kind !== 'frames') throw new TypeError(`not a frames address: ${address.kind}`);
  return address.path;
}
