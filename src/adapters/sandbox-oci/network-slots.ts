import { closeSync, existsSync, mkdirSync, openSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './command.ts';
import type { Network } from './network.ts';
import { ReadyPool } from './ready-pool.ts';
import { SLOTS, slotAddress } from './subnets.ts';
import { detach, detachInBackground } from './syscalls.ts';

/** One network namespace with its address, waiting for a sandbox. */
export interface NetworkSlot {
  readonly number: number;
  readonly address: string;
  /** The namespace as a file, the way `linux.namespaces[].path` wants it. */
  readonly path: string;
}

/**
 * Network namespaces, each joined to the bridge by its own isolated port. The namespace belongs to the host's user
 * namespace: inside, nobody can change addresses, routes or interfaces. A slot serves one sandbox, once.
 */
export class NetworkSlots {
  private readonly network: Network;
  private readonly folder: string;
  private readonly pool: ReadyPool<NetworkSlot>;
  /** Made by this process and not removed yet: not strays, although no record may name them (yet). */
  private readonly own = new Set<number>();
  /** Another agent of this installation starts elsewhere: numbers used lately rest for a while. */
  private last = process.pid % SLOTS;

  constructor(options: {
    readonly network: Network;
    readonly runDir: string;
    readonly depth: number;
    onRefillError(error: unknown): void;
  }) {
    this.network = options.network;
    this.folder = join(options.runDir, 'n');
    mkdirSync(this.folder, { recursive: true, mode: 0o711 });
    this.pool = new ReadyPool({
      depth: options.depth,
      make: () => this.make(),
      discard: (slot) => Promise.resolve(this.remove(slot.number)),
      onRefillError: options.onRefillError,
    });
  }

  take(): Promise<NetworkSlot> {
    return this.pool.take();
  }

  refill(): void {
    this.pool.refill();
  }

  /** Numbers run through the whole subnet before one comes again: no late packet meets a new tenant. */
  private reserve(): number {
    for (let step = 0; step < SLOTS; step++) {
      this.last = (this.last % SLOTS) + 1;
      if (existsSync(`/sys/class/net/${this.port(this.last)}`)) continue;
      try {
        closeSync(openSync(this.pathOf(this.last), 'wx'));
        this.own.add(this.last);
        return this.last;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
    throw new Error('every network slot of this machine is in use');
  }

  private async make(): Promise<NetworkSlot> {
    const number = this.reserve();
    const slot: NetworkSlot = { number, address: slotAddress(this.network.subnet, number), path: this.pathOf(number) };
    try {
      await this.makeNamespace(slot);
      const port = this.port(number);
      await mustRun(
        'ip',
        ['-batch', '-'],
        `link set ${port} master ${this.network.bridge}\nlink set ${port} type bridge_slave isolated on\nlink set ${port} up\n`,
      );
      return slot;
    } catch (error) {
      this.remove(number);
      throw error;
    }
  }

  private async makeNamespace(slot: NetworkSlot): Promise<void> {
    const prefix = this.network.subnet.cidr.split('/')[1];
    // Settings first, in the shell: /proc/sys/net shows the namespace of whoever looks. Ports below 1024 are harmless in
    // a network of one's own; without IPv6 there is nothing to filter there.
    const script = [
      'cd /proc/sys/net',
      'echo 0 > ipv4/ip_unprivileged_port_start',
      'if [ -e ipv6 ]; then echo 1 > ipv6/conf/all/disable_ipv6; echo 1 > ipv6/conf/default/disable_ipv6; fi',
      'exec ip -batch -',
    ].join(' && ');
    const commands = [
      'link set lo up',
      `link add eth0 type veth peer name ${this.port(slot.number)} netns ${process.pid}`,
      `addr add ${slot.address}/${prefix} dev eth0`,
      'link set eth0 up',
      `route add default via ${this.network.subnet.gateway}`,
    ];
    await mustRun('unshare', [`--net=${slot.path}`, 'sh', '-c', script], `${commands.join('\n')}\n`);
  }

  /** Switches internet access of a slot on, as far as the account's list goes, or off: one write, no process. */
  async setEgress(number: number, allowed: boolean, account: string | undefined): Promise<void> {
    if (allowed) await this.network.openEgress();
    writeFileSync(`/sys/class/net/${this.port(number)}/netdev_group`, String(this.network.groupFor(allowed, account)));
  }

  /** The namespace goes, and with it both ends of the link; idempotent. Processes inside must be gone. */
  remove(number: number): void {
    const path = this.pathOf(number);
    detach(path);
    if (existsSync(path)) unlinkSync(path);
    this.own.delete(number);
  }

  /** As `remove`, off the event loop. */
  async removeInBackground(number: number): Promise<void> {
    await detachInBackground(this.pathOf(number));
    this.remove(number);
  }

  /** Removes what an earlier process made and no sandbox (`used`) has. */
  removeStrays(used: ReadonlySet<number>): void {
    for (const number of readdirSync(this.folder).map(Number)) {
      if (!this.own.has(number) && !used.has(number)) this.remove(number);
    }
  }

  async close(): Promise<void> {
    await this.pool.close();
  }

  private pathOf(number: number): string {
    return join(this.folder, String(number));
  }

  /** Name of the host's end. */
  private port(number: number): string {
    return `${this.network.portPrefix}${number}`;
  }
}
