import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  createOciRuntime,
  installationTag,
  type OciRuntime,
  type OciRuntimeOptions,
} from '../../../src/adapters/sandbox-oci/runtime.ts';
import { reportTiers } from '../../../src/adapters/sandbox-oci/tiers.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { SandboxWorld } from '../../../src/core/ports/sandbox.suite.ts';
import type { SandboxSpec } from '../../../src/core/ports/sandbox.ts';
import { findLeaks } from '../../../tools/leakcheck.ts';
import { waitingClock } from '../waiting-clock.ts';

export const ID_BASE = 1_000_000_000;

/** The tiers that this adapter makes. */
export type OciTier = 'container' | 'gvisor';

/** Why this host cannot run containers; undefined when it can. */
export function whyNoContainers(): Promise<string | undefined> {
  return whyNot('container');
}

/** Why this host does not offer the tier; undefined when it does. */
export async function whyNot(tier: OciTier): Promise<string | undefined> {
  const reports = await reportTiers({ clock: waitingClock, idBase: ID_BASE });
  const report = reports.find((each) => each.tier === tier);
  return report?.available === true ? undefined : `no tier ${tier} on this host: ${report?.detail}`;
}

export interface OciWorld extends SandboxWorld {
  runtime(): OciRuntime;
  readonly runDir: string;
  readonly tag: string;
}

export function openRuntime(
  runDir: string,
  platformPorts: readonly number[] = [],
  tier: OciTier = 'container',
  more: Partial<OciRuntimeOptions> = {},
): Promise<OciRuntime> {
  return createOciRuntime({
    runDir,
    installationId: runDir,
    idBase: ID_BASE,
    platformPorts,
    logger: silentLogger,
    clock: waitingClock,
    oci: tier === 'gvisor' ? 'runsc' : 'auto',
    ...more,
  });
}

/** A fresh installation in a folder of its own. */
export async function openWorld(
  platformPorts: readonly number[] = [],
  tier: OciTier = 'container',
  more: Partial<OciRuntimeOptions> = {},
): Promise<OciWorld> {
  const runDir = mkdtempSync(join(tmpdir(), 'tm-'));
  chmodSync(runDir, 0o711);
  const tag = installationTag(runDir);
  let runtime = await openRuntime(runDir, platformPorts, tier, more);
  return {
    runDir,
    tag,
    runtime: () => runtime,
    async killedAgent(specs) {
      await runtime.close({ keepNetwork: true });
      await killedAgent(runDir, specs, undefined, tier);
      runtime = await openRuntime(runDir, platformPorts, tier, more);
    },
    leaks: () => findLeaks({ runDir, tag }),
    async close() {
      for (const handle of await runtime.adopt()) await handle.destroy();
      await runtime.close({ keepNetwork: false });
      rmSync(runDir, { recursive: true, force: true });
    },
  };
}

/**
 * Runs an agent that creates the sandboxes and kills it: once it reports `reports` of them made (default: all), so that the
 * others are in the middle of being made.
 */
export async function killedAgent(
  runDir: string,
  specs: readonly SandboxSpec[],
  reports?: number,
  tier: OciTier = 'container',
): Promise<void> {
  const script = new URL('./short-lived-agent.ts', import.meta.url);
  const child = spawn(process.execPath, [script.pathname, runDir, JSON.stringify(specs), tier], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let made = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'made') made += 1;
    if (made === (reports ?? specs.length)) child.kill('SIGKILL');
  }
  const [code, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the agent ended by itself with code ${String(code)}`);
}
