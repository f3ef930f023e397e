import { rmSync } from 'node:fs';
import { availableParallelism, freemem, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { openBlobStore } from '../../adapters/blobs-fs/index.ts';
import { systemRandom } from '../../adapters/clock-system/index.ts';
import { CodeFolders } from '../../adapters/code-fs/code-folders.ts';
import { readInstallation } from '../../adapters/installation-file/index.ts';
import { JournalFiles } from '../../adapters/journal-fs/journal-files.ts';
import { openMasterKeyFile } from '../../adapters/master-key-file/index.ts';
import { peerSecret } from '../../adapters/nodes-socket/peer-proof.ts';
import { CpuPressureReader } from '../../adapters/pressure-proc/index.ts';
import { lockFolder } from '../../adapters/process-lock/index.ts';
import { findLocalRuntimes } from '../../adapters/runtimes-local/index.ts';
import { openEnvelopeVault } from '../../adapters/vault-envelope/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import { NodeService } from '../../services/node/node-service.ts';
import { AgentServer } from './agent-server.ts';
import { openCodeFolder } from './code-folder.ts';
import { controlDialer } from './control-dialer.ts';
import { openSandboxes } from './sandboxes.ts';
import type { AgentSettings } from './settings.ts';

export interface AgentProcess {
  /** Ends every instance in order and removes everything this installation has on the host. */
  drain(): Promise<void>;
  /** Stops, leaving instances, network and journal for the next agent. */
  leave(): Promise<void>;
}

const MIB = 1024 * 1024;
const DEFAULT_DISK_MB = 512;
const USAGE_PERIOD_MS = 1_000;
/** What one more waiting runtime takes: measured for Node, the largest of them; pages that all share are not in it. */
const POOL_MEMBER_MB = 32;
const POOL_RECENT_MS = 10 * 60_000;
const PREDECESSOR_PATIENCE_MS = 10_000;

/** Wires one agent: adapters to ports, ports to the node service, the service to its socket. Resolves when it serves. */
export async function startAgent(
  settings: AgentSettings,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<AgentProcess> {
  const { clock, logger } = parts;
  const { runDir, tuning } = settings;
  const lock = await lockFolder('agent', runDir, clock, PREDECESSOR_PATIENCE_MS);
  if (lock === undefined) throw new Error(`another agent looks after ${runDir}`);
  const { region, masterSecret } = readInstallation(settings.data);
  const master = openMasterKeyFile(settings.masterKey);
  const vault = await openEnvelopeVault({
    folder: join(settings.data, 'keys'),
    master,
    rewraps: false, // the server does
    onError: (error) => logger.log('error', 'the vault', { error: error.message }),
  });
  const runtimes = findLocalRuntimes(settings.packageRoot);
  const journalFolder = join(runDir, 'j');
  const [sandboxes, blobs] = await Promise.all([
    openSandboxes(settings, clock, logger),
    openBlobStore({ dir: join(settings.data, 'blobs'), vault }),
  ]);
  const place = await openCodeFolder(settings, logger);
  const code = await CodeFolders.open({
    folder: place.folder,
    blobs,
    budgetBytes: tuning.codeBytes,
    random: systemRandom,
    clock,
    log: logger,
  });
  const processors = new CpuPressureReader(clock);
  const node = new NodeService({
    nodeId: hostname(),
    zone: `${region}-a`,
    cpu: availableParallelism(),
    memoryMb: Math.floor((machineMemory() / MIB) * tuning.memoryOvercommit),
    freeMemoryMb: () => Math.floor(freemem() / MIB),
    cpuReading: () => processors.read(),
    sandboxes: sandboxes.runtime,
    dialer: controlDialer({ clock, region }),
    code,
    journal: new JournalFiles(journalFolder, logger),
    launch: (runtime) => runtimes.launch(runtime),
    clock,
    random: systemRandom,
    log: logger,
    region,
    endpoints: {
      api: `http://${sandboxes.gateway}:${settings.apiPort}`,
      objects: `http://${sandboxes.gateway}:${settings.objectsPort}`,
    },
    defaultDiskMb: DEFAULT_DISK_MB,
    poolPolicy: {
      depth: tuning.poolDepth,
      always: tuning.poolAlways.filter((runtime) => runtimes.launch(runtime) !== undefined),
      recentMs: POOL_RECENT_MS,
      maxMembers: poolMembers(tuning),
    },
    barePolicy: {
      depth: tuning.bareDepth,
      always: [],
      recentMs: POOL_RECENT_MS,
      maxMembers: tuning.bareMembers,
    },
    startsAtOnce: tuning.startsAtOnce,
    usagePeriodMs: USAGE_PERIOD_MS,
  });
  // Listens to the node before it takes anything over: what those instances wrote meanwhile comes at once.
  const server = new AgentServer({
    path: join(runDir, 'agent.sock'),
    node,
    secret: peerSecret(Buffer.from(masterSecret, 'hex')),
    random: systemRandom,
    clock,
    log: logger,
  });
  await node.open();
  await server.listen();
  const end = async (endInstances: () => Promise<void>, keepNetwork: boolean): Promise<void> => {
    await endInstances();
    await server.close();
    await code.close();
    await sandboxes.runtime.close({ keepNetwork });
    await vault.close();
    master.close();
    lock.dispose();
  };
  return {
    async drain() {
      await end(() => node.drain(), false);
      await place.remove();
      rmSync(journalFolder, { recursive: true, force: true });
      rmSync(join(runDir, 'agent.sock'), { force: true });
    },
    leave: () => end(() => node.close(), true),
  };
}

/** Bytes this process group may use: the machine's memory, or less when we run in a container ourselves. */
function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Runtimes that may wait in the pool: a part of the machine's memory, but two even on a small one. */
function poolMembers(tuning: AgentSettings['tuning']): number {
  const affordable = Math.floor((machineMemory() / MIB / POOL_MEMBER_MB) * (tuning.poolMemoryPercent / 100));
  return Math.min(tuning.poolMembers, Math.max(2, affordable));
}
