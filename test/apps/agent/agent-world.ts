import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobStore } from '../../../src/adapters/blobs-fs/index.ts';
import { systemRandom } from '../../../src/adapters/clock-system/index.ts';
import { openInstallation, readInstallation } from '../../../src/adapters/installation-file/index.ts';
import { createFramesInstanceDialer } from '../../../src/adapters/link-frames/index.ts';
import { openMasterKeyFile } from '../../../src/adapters/master-key-file/index.ts';
import { AgentNodes } from '../../../src/adapters/nodes-socket/agent-nodes.ts';
import { peerSecret } from '../../../src/adapters/nodes-socket/peer-proof.ts';
import { installationTag } from '../../../src/adapters/sandbox-oci/index.ts';
import { openEnvelopeVault } from '../../../src/adapters/vault-envelope/index.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { FunctionConfig } from '../../../src/core/domain/function.ts';
import type { BlobStore } from '../../../src/core/ports/blob-store.ts';
import type { InstanceLink } from '../../../src/core/ports/instance-link.ts';
import type { StartedInstance, StartOrder } from '../../../src/core/ports/node-pool.ts';
import { findLeaks } from '../../../tools/leakcheck.ts';
import { packageOf } from '../../adapters/code-fs/memory-blobs.ts';
import { waitingClock } from '../../adapters/waiting-clock.ts';
import { DEFAULT_CONFIG } from '../../services/node/fakes.ts';

const ROOT = join(import.meta.dirname, '../../..');
const PLATFORM_PORT = 9527;

/** An installation of its own with a real agent process. */
export class AgentWorld {
  readonly runDir: string;
  readonly data: string;
  readonly blobs: BlobStore;
  private readonly base: string;
  private readonly tuning: object;
  private readonly isolation: string;
  private readonly closeKeys: () => Promise<void>;
  private readonly pools: AgentNodes[] = [];
  private child: ChildProcess | undefined;
  private count = 0;

  private constructor(
    base: string,
    blobs: BlobStore,
    tuning: object,
    isolation: string,
    closeKeys: () => Promise<void>,
  ) {
    this.closeKeys = closeKeys;
    this.base = base;
    this.runDir = join(base, 'r');
    this.data = join(base, 'd');
    this.blobs = blobs;
    this.tuning = tuning;
    this.isolation = isolation;
  }

  static async open(tuning: object = {}, isolation = 'container'): Promise<AgentWorld> {
    const base = mkdtempSync(join(tmpdir(), 'ta-'));
    chmodSync(base, 0o711);
    mkdirSync(join(base, 'r'), { mode: 0o711 });
    mkdirSync(join(base, 'd'), { mode: 0o700 });
    openInstallation(join(base, 'd'), 'local');
    const master = openMasterKeyFile(join(base, 'd', 'master.key'));
    const onError = (error: Error): void => {
      throw error;
    };
    const vault = await openEnvelopeVault({ folder: join(base, 'd', 'keys'), master, onError });
    const blobs = await openBlobStore({ dir: join(base, 'd', 'blobs'), vault });
    return new AgentWorld(base, blobs, tuning, isolation, async () => {
      await vault.close();
      master.close();
    });
  }

  /** Resolves once the agent serves. */
  async startAgent(): Promise<void> {
    const args = [
      '--master-key',
      join(this.data, 'master.key'),
      '--data',
      this.data,
      '--run-dir',
      this.runDir,
      '--host',
      '127.0.0.1',
    ];
    const ports = ['--api-port', `${PLATFORM_PORT}`, '--objects-port', `${PLATFORM_PORT + 1}`, '--package-root', ROOT];
    const child = spawn(
      process.execPath,
      [join(ROOT, 'src/apps/agent/main.ts'), '--isolation', this.isolation, ...args, ...ports],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        env: {
          PATH: process.env.PATH ?? '',
          TIDEMILL_LOG: process.env.TIDEMILL_LOG ?? 'error',
          TIDEMILL_TUNING: JSON.stringify({ agent: this.tuning }),
        },
        detached: true,
      },
    );
    this.child = child;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the agent ended with code ${code}`);
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => undefined);
  }

  /** Ends the agent by a signal and waits for it. */
  async endAgent(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null) return null;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = await exited;
    return code as number | null;
  }

  nodes(epoch = 1): AgentNodes {
    const nodes = new AgentNodes({
      path: join(this.runDir, 'agent.sock'),
      epoch,
      patienceMs: 20_000,
      secret: peerSecret(Buffer.from(readInstallation(this.data).masterSecret, 'hex')),
      clock: waitingClock,
      random: systemRandom,
      log: silentLogger,
    });
    this.pools.push(nodes);
    return nodes;
  }

  async order(files: Readonly<Record<string, string>>, config: Partial<FunctionConfig> = {}): Promise<StartOrder> {
    const items = Object.entries(files).map(([name, content]) => ({ name, content, mode: 0o100755 }));
    const number = ++this.count;
    return {
      instanceId: `c-test-${number}`,
      requestId: `1-test-${number}`,
      credentials: { accessKeyId: 'STS.id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 },
      spec: {
        key: `1000000000000001/f${number}/LATEST@1`,
        account: '1000000000000001',
        functionName: `f${number}`,
        functionArn: `acs:fc:local:1000000000000001:functions/f${number}`,
        versionId: 'LATEST',
        config: { ...DEFAULT_CONFIG, ...config },
        code: await packageOf(this.blobs, items),
        layers: [],
      },
    };
  }

  dial(order: StartOrder, started: StartedInstance, epoch = 1): Promise<InstanceLink> {
    return createFramesInstanceDialer({ clock: waitingClock }).dial(started.address, order.spec, epoch);
  }

  /** Main process of a sandbox. */
  sandboxPid(sandboxId: string): number {
    return JSON.parse(readFileSync(join(this.runDir, 'i', sandboxId, 'sandbox.json'), 'utf8')).pid as number;
  }

  leaks(): Promise<readonly string[]> {
    return findLeaks({ runDir: this.runDir, tag: installationTag(this.data) });
  }

  async close(): Promise<void> {
    await this.closeKeys();
    for (const pool of this.pools) await pool.close();
    if (this.child === undefined) await this.startAgent();
    await this.endAgent('SIGTERM');
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** One call with a text payload; the answer's text. */
export async function call(link: InstanceLink, text: string, epoch = 1): Promise<string> {
  const answer = await link.invoke({
    requestId: `1-call-${Math.random()}`,
    epoch,
    qualifier: 'LATEST',
    retryCount: 0,
    deadline: Date.now() + 3_000,
    credentials: { accessKeyId: 'a', accessKeySecret: 'b', securityToken: 'c', expiresAt: 0 },
    input: { kind: 'event', payload: Buffer.from(text) },
    signal: new AbortController().signal,
  });
  if (!(answer.payload instanceof Uint8Array)) throw new Error('a streamed answer was not expected');
  return Buffer.from(answer.payload).toString();
}
