import { join } from 'node:path';
import { createOciRuntime } from '../../adapters/sandbox-oci/index.ts';
import { createProcessRuntime } from '../../adapters/sandbox-process/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { SandboxRuntime } from '../../core/ports/sandbox.ts';
import type { AgentSettings } from './settings.ts';

/** User ids from here belong to sandboxes: above those of people, services and systemd's own containers. */
const ID_BASE = 0x7000_0000;

export interface Sandboxes {
  readonly runtime: SandboxRuntime;
  /** The platform's address as instances see it. */
  readonly gateway: string;
}

/** The sandboxes of the tier asked for; rejects, saying why, when this host cannot give it. Never a weaker tier. */
export async function openSandboxes(settings: AgentSettings, clock: Clock, logger: Logger): Promise<Sandboxes> {
  if (settings.isolation === 'process') {
    const runtime = createProcessRuntime({ runDir: settings.runDir, logger, clock });
    return { runtime, gateway: settings.host };
  }
  const runtime = await createOciRuntime({
    runDir: settings.runDir,
    diskDir: join(settings.data, 'disks'),
    installationId: settings.data,
    idBase: ID_BASE,
    platformPorts: [settings.apiPort, settings.objectsPort],
    platformHost: settings.host,
    logger,
    clock,
    oci: settings.isolation === 'gvisor' ? 'runsc' : 'auto',
    egress: settings.egress,
    networkPool: settings.tuning.poolDepth,
    traffic: {
      connections: settings.tuning.connectionsPerInstance,
      newConnectionsPerSecond: settings.tuning.newConnectionsPerInstanceSecond,
      lookupsPerSecond: settings.tuning.lookupsPerInstanceSecond,
      bytesPerSecond: settings.tuning.bandwidthPerInstanceBytes,
    },
  });
  return { runtime, gateway: runtime.gateway };
}
