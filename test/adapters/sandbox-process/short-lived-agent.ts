import type { SandboxSpec } from '../../../src/core/ports/sandbox.ts';
import { openRuntime } from './process-world.ts';

/** An agent for tests: creates all sandboxes at once, says `made` for each, and waits to be killed. */
const [runDir, specs] = process.argv.slice(2);
if (runDir === undefined || specs === undefined) throw new Error('usage: short-lived-agent.ts RUN_DIR SPECS');
const runtime = openRuntime(runDir);
setInterval(() => undefined, 1_000);
await Promise.all(
  (JSON.parse(specs) as SandboxSpec[]).map(async (spec) => {
    await runtime.create(spec);
    process.stdout.write('made\n');
  }),
);
