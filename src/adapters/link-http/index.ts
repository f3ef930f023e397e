import type { Clock } from '../../core/base/clock.ts';
import type { InstanceAddress } from '../../core/domain/instance.ts';
import type { InstanceDialer } from '../../core/ports/instance-link.ts';
import type { RuntimeControlDialer } from '../../core/ports/runtime-control.ts';
import { HttpControl } from './http-control.ts';
import { HttpLink } from './http-link.ts';

/** The server's dialer for custom runtimes (`address.kind` is `http`). Connections are made by the first calls. */
export function createHttpInstanceDialer(options: { readonly region: string }): InstanceDialer {
  return {
    async dial(address, spec) {
      const { host, port } = hostOf(address);
      return new HttpLink(`http://${host}:${port}`, spec, options.region);
    },
  };
}

/** The agent's dialer for custom runtimes. */
export function createHttpControlDialer(options: {
  readonly clock: Clock;
  readonly region: string;
}): RuntimeControlDialer {
  return {
    async dial(address, _epoch, spec) {
      if (spec === undefined) throw new TypeError('a custom runtime is dialled with its version');
      return new HttpControl(hostOf(address), spec, options.region, options.clock);
    },
  };
}

function hostOf(address: InstanceAddress): { host: string; port: number } {
  if (address.kind !== 'http') throw new TypeError(`not an http address: ${address.kind}`);
  return address;
}
