import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { alive, Installation, until } from '../conformance/restart/installation.ts';
import { obedient, User } from '../conformance/restart/user.ts';
import { seededRandom } from '../src/core/base/seeded-random.ts';

/**
 * Calls functions without a pause while instances and the agent are killed at random, and looks whether anything grows:
 * memory and descriptors of server and agent, sandboxes beyond those in use, and, after the end, anything left on the host.
 *
 *   node chaos/soak.ts [--minutes 10] [--seed 1]        exit code 1 when something grew, was wrong or was left behind
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
const random = seededRandom(Number(values.seed));

const FUNCTIONS = 6;
const CLIENTS = 8;
const KILL_EVERY_MS = 1_500;
/** Of all kills, the share that hits the agent; the rest hits instances. */
const AGENT_SHARE = 0.15;
const SAMPLE_EVERY_MS = 10_000;
/** Heaps settle late: growth beyond this over the first settled sample is a leak. */
const GROWTH_MIB = 96;
const GROWTH_DESCRIPTORS = 64;

interface Sample {
  readonly second: number;
  readonly serverMib: number;
  readonly agentMib: number;
  readonly serverDescriptors: number;
  readonly sandboxes: number;
  readonly calls: number;
  readonly errors: number;
  readonly kills: number;
}

const installation = await Installation.serving();
const user = new User(() => installation.platform);
const names = Array.from({ length: FUNCTIONS }, (_, index) => `soak-${index}`);
for (const name of names)
  await user.deploy(name, obedient(`soak ${name}`), { runtime: random() < 0.5 ? 'nodejs22' : 'nodejs24' });

const counts = { calls: 0, errors: 0, wrong: 0, kills: 0 };
const wrong: string[] = [];
const samples: Sample[] = [];
const begin = performance.now();
const end = begin + minutes * 60_000;
const running = (): boolean => performance.now() < end;

/** One caller: every answer is its own, or an error that names its culprit. */
async function caller(number: number): Promise<void> {
  for (let call = 0; running(); call++) {
    const name = names[Math.floor(random() * names.length)] ?? '';
    const id = `${number}-${call}`;
    const outcome = await user.call(name, { id, ms: random() * 30 });
    counts.calls++;
    if (outcome.status === 200 && outcome.errorType === '') {
      if ((JSON.parse(outcome.text) as { id: string }).id !== id) note(`call ${id} got the answer ${outcome.text}`);
    } else if (outcome.errorType === 'UnhandledInvocationError' || outcome.status === 429 || outcome.status === 503) {
      counts.errors++; // its instance was killed, or there was no room for another at that moment
    } else note(`call ${id} came to ${outcome.status} ${outcome.code} ${outcome.message}`);
  }
}

function note(what: string): void {
  counts.wrong++;
  if (wrong.length < 20) wrong.push(what);
}

async function killer(): Promise<void> {
  while (running()) {
    await pause(KILL_EVERY_MS * (0.5 + random()));
    if (random() < AGENT_SHARE) {
      const before = installation.pid('agent');
      if (before === undefined) continue;
      process.kill(before, 'SIGKILL');
      counts.kills++;
      await installation.successor('agent', before);
    } else {
      const victims = installation.sandboxed().filter(({ title }) => title.startsWith('soak'));
      const victim = victims[Math.floor(random() * victims.length)];
      if (victim === undefined || !alive(victim.pid)) continue;
      process.kill(victim.pid, 'SIGKILL');
      counts.kills++;
    }
  }
}

async function sampler(): Promise<void> {
  while (running()) {
    await pause(SAMPLE_EVERY_MS);
    const server = installation.pid('server') ?? 0;
    const agent = installation.pid('agent') ?? 0;
    samples.push({
      second: Math.round((performance.now() - begin) / 1000),
      serverMib: residentMib(server),
      agentMib: residentMib(agent),
      serverDescriptors: descriptors(server),
      sandboxes: new Set(installation.sandboxed().map(({ pid }) => installation.sandboxOf(pid))).size,
      calls: counts.calls,
      errors: counts.errors,
      kills: counts.kills,
    });
  }
}

function residentMib(pid: number): number {
  try {
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0; // being restarted
  }
}

function descriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0; // being restarted
  }
}

await Promise.all([...Array.from({ length: CLIENTS }, (_, number) => caller(number)), killer(), sampler()]);
for (const name of names)
  await until(`${name} answers`, async () => (await user.call(name, { id: 'last' })).status === 200);
const stopped = await installation.end('SIGTERM');
const leftovers = await installation.leftovers();
await installation.close();

console.table(samples.filter((_, index) => index % Math.max(1, Math.floor(samples.length / 15)) === 0));
const problems = [...wrong];
const settled = samples[Math.min(samples.length - 1, Math.floor(samples.length / 3))];
const last = samples.at(-1);
if (settled !== undefined && last !== undefined) {
  if (last.serverMib > settled.serverMib + GROWTH_MIB)
    problems.push(`the server grew from ${settled.serverMib} to ${last.serverMib} MiB`);
  if (last.agentMib > settled.agentMib + GROWTH_MIB)
    problems.push(`the agent grew from ${settled.agentMib} to ${last.agentMib} MiB`);
  if (last.serverDescriptors > settled.serverDescriptors + GROWTH_DESCRIPTORS)
    problems.push(`descriptors of the server grew from ${settled.serverDescriptors} to ${last.serverDescriptors}`);
}
if (counts.kills === 0 || counts.calls === 0) problems.push('nothing was called or killed: this proved nothing');
if (stopped.code !== 0) problems.push(`SIGTERM ended with ${stopped.code ?? stopped.signal}`);
problems.push(...leftovers.map((line) => `left behind: ${line}`));
console.log(
  `${counts.calls} calls, ${counts.errors} ended with their killed instance, ${counts.kills} kills, ${counts.wrong} wrong`,
);
for (const problem of problems) console.log(problem);
console.log(problems.length === 0 ? 'nothing grew and nothing was left behind' : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
