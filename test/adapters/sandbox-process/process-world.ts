import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createProcessRuntime, type ProcessRuntime } from '../../../src/adapters/sandbox-process/runtime.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { SandboxWorld } from '../../../src/core/ports/sandbox.suite.ts';
import { findLeaks } from '../../../tools/leakcheck.ts';
import { waitingClock } from '../waiting-clock.ts';

export function openRuntime(runDir: string): ProcessRuntime {
  return createProcessRuntime({ runDir, logger: silentLogger, clock: waitingClock });
}

/** A fresh installation in a folder of its own. */
export function openWorld(): SandboxWorld {
  const runDir = mkdtempSync(join(tmpdir(), 'tm-'));
  let runtime = openRuntime(runDir);
  return {
    runtime: () => runtime,
    async killedAgent(specs) {
      await runtime.close({ keepNetwork: true });
      const script = new URL('./short-lived-agent.ts', import.meta.url);
      const child = spawn(process.execPath, [script.pathname, runDir, JSON.stringify(specs)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      let made = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        if (line === 'made') made += 1;
        if (made === specs.length) child.kill('SIGKILL');
      }
      await exited;
      runtime = openRuntime(runDir);
    },
    leaks: () => findLeaks({ runDir, tag: 'none' }),
    async close() {
      for (const handle of await runtime.adopt()) await handle.destroy();
      await runtime.close({ keepNetwork: false });
      rmSync(runDir, { recursive: true, force: true });
    },
  };
}
