import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import { mustRun, runCommand } from './command.ts';
import { delay } from './delay.ts';
import type { EgressLists } from './egress-lists.ts';
import { groupFor } from './egress-rules.ts';
import { firewallRemoval, firewallRules, redirectTarget } from './firewall-rules.ts';
import { chooseSubnet, parseRange, type Range, type Subnet } from './subnets.ts';
import { tryLock } from './syscalls.ts';
import type { TrafficLimits } from './traffic-limits.ts';

/** Only one installation of this machine chooses a subnet at a time. */
const LOCK_FOLDER = '/run/tidemill';
const LOCK_DEADLINE_MS = 30_000;

export interface NetworkOptions {
  readonly runDir: string;
  /** Six hexadecimal digits that tell installations apart. */
  readonly tag: string;
  readonly platformPorts: readonly number[];
  readonly platformHost: string | undefined;
  readonly limits: TrafficLimits;
  readonly egress: EgressLists;
  readonly clock: Clock;
}

/** Bridge, addresses and firewall of one installation. Slots hang on it (network-slots.ts). */
export class Network {
  readonly bridge: string;
  /** Names of the host's ends begin with this; with up to four digits behind they fit the kernel's 15 characters. */
  readonly portPrefix: string;
  readonly subnet: Subnet;
  private readonly table: string;
  private readonly options: NetworkOptions;
  private ports: readonly number[];
  private egressReady = false;

  private constructor(options: NetworkOptions, subnet: Subnet) {
    this.options = options;
    this.subnet = subnet;
    this.ports = options.platformPorts;
    this.bridge = `tm${options.tag}`;
    this.portPrefix = `tm${options.tag}-`;
    this.table = `tidemill_${options.tag}`;
  }

  /**
   * Makes the bridge with a subnet that nothing on this host uses, or takes over the one an earlier process of this
   * installation made. The firewall is in place before the bridge carries anything.
   */
  static async open(options: NetworkOptions): Promise<Network> {
    mkdirSync(LOCK_FOLDER, { recursive: true, mode: 0o711 });
    const lock = openSync(join(LOCK_FOLDER, 'network.lock'), 'a', 0o600);
    try {
      const deadline = options.clock.monotonic() + LOCK_DEADLINE_MS;
      while (!tryLock(lock)) {
        if (options.clock.monotonic() > deadline)
          throw new Error('another installation holds the network lock for 30 s');
        await delay(options.clock, 5);
      }
      const remembered = readSubnet(options.runDir);
      const bridgeExists = existsSync(`/sys/class/net/tm${options.tag}`);
      const subnet =
        bridgeExists && remembered !== undefined ? remembered : await freeSubnet(options.tag, options.egress.granted);
      const network = new Network(options, subnet);
      await network.loadRules();
      if (!bridgeExists || remembered === undefined) await network.makeBridge();
      writeFileSync(join(options.runDir, 'network.json'), JSON.stringify({ ...subnet, tag: options.tag }));
      return network;
    } finally {
      closeSync(lock);
    }
  }

  private async makeBridge(): Promise<void> {
    const { bridge, subnet } = this;
    // A half-made one of an earlier attempt, without a remembered subnet, has nothing attached that could live on.
    await runCommand('ip', ['link', 'del', bridge], { timeoutMs: 10_000 });
    const prefix = subnet.cidr.split('/')[1];
    await mustRun(
      'ip',
      ['-batch', '-'],
      `link add ${bridge} address ${bridgeAddress(this.options.tag)} type bridge\naddr add ${subnet.gateway}/${prefix} dev ${bridge}\n`,
    );
    writeSetting(`net/ipv6/conf/${bridge}/disable_ipv6`, '1');
    // Calls redirected to the host's loopback address (platformHost) are refused by the kernel otherwise.
    writeSetting(`net/ipv4/conf/${bridge}/route_localnet`, '1');
    await mustRun('ip', ['link', 'set', bridge, 'up']);
  }

  private async loadRules(): Promise<void> {
    await mustRun(
      'nft',
      ['-f', '-'],
      firewallRules({
        table: this.table,
        bridge: this.bridge,
        portPrefix: this.portPrefix,
        subnet: this.subnet.cidr,
        gateway: this.subnet.gateway,
        platformPorts: this.ports,
        platformHost: redirectTarget(this.options.platformHost ?? '127.0.0.1', this.subnet.gateway),
        resolver: hostResolvers()[0],
        limits: this.options.limits,
        egress: this.options.egress,
      }),
    );
  }

  /** Replaces the set of ports that instances reach at the gateway. */
  async setPlatformPorts(ports: readonly number[]): Promise<void> {
    this.ports = ports;
    await this.loadRules();
  }

  /** The device group that gives a port what its sandbox may reach. */
  groupFor(allowed: boolean, account: string | undefined): number {
    return groupFor(allowed, account, this.options.egress);
  }

  /**
   * Lets packets pass between the bridge and the devices of the default routes. Only those: the host does not become a
   * router between its other networks.
   */
  async openEgress(): Promise<void> {
    if (this.egressReady) return;
    writeSetting(`net/ipv4/conf/${this.bridge}/forwarding`, '1');
    for (const device of await uplinks()) writeSetting(`net/ipv4/conf/${device}/forwarding`, '1');
    this.egressReady = true;
  }

  /** Removes bridge and firewall; sandboxes that still run lose their network. Idempotent. */
  async remove(): Promise<void> {
    await runCommand('ip', ['link', 'del', this.bridge], { timeoutMs: 10_000 });
    await mustRun('nft', ['-f', '-'], firewallRemoval(this.table));
  }
}

/**
 * A hardware address of the bridge's own. Without one it takes the lowest of its ports' and changes as sandboxes come and go:
 * those that remember the old one cannot reach the gateway until they ask again, up to a minute later.
 */
function bridgeAddress(tag: string): string {
  return ['02', '54', '4d', ...(tag.match(/../g) ?? [])].join(':');
}

function writeSetting(name: string, value: string): void {
  const path = join('/proc/sys', name);
  if (existsSync(path)) writeFileSync(path, value);
}

function readSubnet(runDir: string): Subnet | undefined {
  try {
    return JSON.parse(readFileSync(join(runDir, 'network.json'), 'utf8')) as Subnet;
  } catch {
    return undefined;
  }
}

/** One that meets nothing that is in use here or was granted to instances. */
async function freeSubnet(tag: string, granted: readonly string[]): Promise<Subnet> {
  const wanted = granted.map(parseRange).filter((range) => range !== undefined);
  const subnet = chooseSubnet(Number.parseInt(tag, 16), [...(await usedRanges()), ...wanted]);
  if (subnet === undefined) throw new Error('10.0.0.0/8 has no free /20 subnet on this host');
  return subnet;
}

interface IpRoute {
  readonly dst?: string;
  readonly dev?: string;
  readonly gateway?: string;
}

/** Everything this host can already reach by a route of its own, and its name servers. */
async function usedRanges(): Promise<Range[]> {
  const routes = JSON.parse(await mustRun('ip', ['-j', '-4', 'route', 'show', 'table', 'all'])) as IpRoute[];
  const texts = [...routes.flatMap((route) => [route.dst ?? '', route.gateway ?? '']), ...hostResolvers()];
  return texts.map(parseRange).filter((range) => range !== undefined);
}

async function uplinks(): Promise<Set<string>> {
  const routes = JSON.parse(await mustRun('ip', ['-j', '-4', 'route', 'show', 'default'])) as IpRoute[];
  return new Set(routes.flatMap((route) => (route.dev === undefined ? [] : [route.dev])));
}

const RESOLVED_STUB = '127.0.0.53';

/** IPv4 name servers of the host. The local stub of systemd-resolved answers nobody else: then those behind it. */
export function hostResolvers(): string[] {
  const servers = nameServers('/etc/resolv.conf');
  return servers.includes(RESOLVED_STUB) ? nameServers('/run/systemd/resolve/resolv.conf') : servers;
}

function nameServers(file: string): string[] {
  try {
    const lines = readFileSync(file, 'utf8').matchAll(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/gm);
    return [...lines].map((match) => match[1] ?? '');
  } catch {
    return [];
  }
}
