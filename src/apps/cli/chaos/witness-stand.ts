import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Testimony } from './history.ts';

const run = promisify(execFile);

/**
 * Documentation addresses (RFC 5737): functions with internet access reach them, and nothing real has them. Four for each
 * stand, so that several can be open on one host.
 */
const NETWORK = '198.51.100';
const STANDS = 63;

/**
 * The witness where functions can reach it: in a network namespace that stands for the internet when functions have networks of
 * their own, on loopback when they are plain processes.
 */
export class WitnessStand {
  readonly url: string;
  readonly testimony: Testimony[] = [];
  private readonly child: ChildProcess;
  private readonly network: string | undefined;

  private constructor(child: ChildProcess, url: string, network: string | undefined) {
    this.child = child;
    this.url = url;
    this.network = network;
  }

  static async open(confined: boolean): Promise<WitnessStand> {
    const network = confined ? `tmchaos${process.pid}` : undefined;
    const first = 4 * (process.pid % STANDS);
    if (network !== undefined) await makeNetwork(network, first);
    const entry = join(import.meta.dirname, `witness${extname(import.meta.filename)}`);
    const address = network === undefined ? '127.0.0.1' : `${NETWORK}.${first + 2}`;
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', entry, address];
    const [command = '', ...args] = network === undefined ? node : ['ip', 'netns', 'exec', network, ...node];
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env.PATH } });
    const lines = createInterface({ input: child.stdout });
    const port = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the witness ended with ${code}`)));
      lines.once('line', (line) => resolve((JSON.parse(line) as { port: number }).port));
    });
    const stand = new WitnessStand(child, `http://${address}:${port}`, network);
    lines.on('line', (line) => {
      const heard = JSON.parse(line) as Testimony;
      stand.testimony.push({ ...heard, at: heard.at - performance.timeOrigin });
    });
    return stand;
  }

  async close(): Promise<void> {
    await new Promise<unknown>((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return resolve(undefined);
      this.child.once('exit', resolve);
      return this.child.stdin?.end();
    });
    if (this.network !== undefined) await removeNetwork(this.network);
  }
}

/** Names of network devices have at most 15 letters. */
function deviceOf(network: string): string {
  return network.slice(0, 15);
}

async function makeNetwork(network: string, first: number): Promise<void> {
  const device = deviceOf(network);
  await run('ip', ['netns', 'add', network]);
  try {
    await run('ip', ['link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', network]);
    await run('ip', ['address', 'add', `${NETWORK}.${first + 1}/30`, 'dev', device]);
    await run('ip', ['link', 'set', device, 'up']);
    // The answers to functions come in here and have to go on to them.
    writeFileSync(`/proc/sys/net/ipv4/conf/${device}/forwarding`, '1');
    const inside = ['netns', 'exec', network, 'ip'];
    await run('ip', [...inside, 'address', 'add', `${NETWORK}.${first + 2}/30`, 'dev', 'eth0']);
    await run('ip', [...inside, 'link', 'set', 'eth0', 'up']);
  } catch (error) {
    await removeNetwork(network);
    throw error;
  }
}

/** With the namespace go its devices and their other ends. */
async function removeNetwork(network: string): Promise<void> {
  await run('ip', ['netns', 'delete', network]);
}
