import type { SandboxSpec } from '../../../src/core/ports/sandbox.ts';
import { openRuntime } from './oci-world.ts';

/** An agent for tests: creates all sandboxes at once, says `made` for each, and waits to be killed. */
const [runDir, specs, tier] = process.argv.slice(2);
if (runDir === undefined || specs === undefined || (tier !== 'container' && tier !== 'gvisor'))
  throw new Error('usage: short-lived-agent.ts RUN_DIR SPECS TIER');
const runtime = await openRuntime(runDir, [], tier);
setInterval(() => undefined, 1_000);
await Promise.all(
  (JSON.parse(specs) as SandboxSpec[]).map(async (spec) => {
    await runtime.create(spec);
    process.stdout.write('made\n');
  }),
);
