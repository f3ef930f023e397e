import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { models } from '../fc/world.ts';
import { alive, Installation } from './installation.ts';
import { obedient, type Outcome, User } from './user.ts';

const SEED = Number(process.env['TIDEMILL_TEST_SEED'] ?? 20_240_607);
const LENGTH_MS = 45_000;

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

/** A small generator, so that a run can be repeated (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Kills one of ours until `deadline`, a moment after each other. Says what it killed. */
async function kill(random: () => number, deadline: number): Promise<string[]> {
  const killed: string[] = [];
  while (performance.now() < deadline) {
    await pause(300 + random() * 1_700);
    const draw = random();
    const role = draw < 0.3 ? 'server' : draw < 0.6 ? 'agent' : 'instance';
    const inner = house.sandboxed();
    const pid = role === 'instance' ? inner[Math.floor(random() * inner.length)]?.pid : house.pid(role);
    if (pid === undefined || !alive(pid)) continue;
    process.kill(pid, 'SIGKILL');
    killed.push(role);
  }
  return killed;
}

/** A caller that calls again as soon as it has its answer. */
async function callAgainAndAgain(name: string, deadline: number, settled: (id: string, outcome: Outcome) => void) {
  for (let i = 0; performance.now() < deadline; i++) {
    const id = `${name}-${i}`;
    settled(id, await user.call('sync', { id, ms: i % 3 === 0 ? 200 : 0 }));
  }
}

/** An answer is the call's own, or an error that says who is at fault; a cut connection is the client's to see. */
function faultOf(id: string, outcome: Outcome): string | undefined {
  const { status, errorType, text, code, message } = outcome;
  if (status === 0) return undefined;
  if (status === 200 && errorType === '') {
    const answer = (JSON.parse(text) as { id: string }).id;
    return answer === id ? undefined : `${id} got the answer of ${answer}`;
  }
  if (status === 200) return /exited unexpectedly/.test(text) ? undefined : `${id}: ${errorType} ${text}`;
  if (['ResourceExhausted', 'ResourceThrottled', 'BadResponse'].includes(code)) return undefined;
  return `${id}: ${status} ${code} ${message}`;
}

test(`killed at random (seed ${SEED}), it converges: every call and every event has its one end`, async (t) => {
  const random = randomOf(SEED);
  await user.deploy('sync', obedient('tm-sync'));
  await user.deploy('async', obedient('tm-async'));
  const deadline = performance.now() + LENGTH_MS;
  const faults: string[] = [];
  const outcomes: Outcome[] = [];
  const accepted: string[] = [];
  const unsure: string[] = [];
  const settled = (id: string, outcome: Outcome): void => {
    outcomes.push(outcome);
    const fault = faultOf(id, outcome);
    if (fault !== undefined) faults.push(fault);
  };
  const sending = async (): Promise<void> => {
    for (let i = 0; performance.now() < deadline; i++) {
      const id = `event-${i}`;
      const { status } = await user.send('async', id, { id, ms: i % 4 === 0 ? 300 : 0 }, i % 10 === 9 ? 2 : undefined);
      (status === 202 ? accepted : unsure).push(id);
      await pause(150);
    }
  };
  const deploying = async (): Promise<void> => {
    for (let i = 0; performance.now() < deadline; i++) {
      const body = new models.UpdateFunctionInput({
        description: `change ${i}`,
        environmentVariables: { I: String(i) },
      });
      await user.client.updateFunction('sync', new models.UpdateFunctionRequest({ body })).catch((error: unknown) => {
        const { statusCode = 0, code = '', message } = error as { statusCode?: number; code?: string; message: string };
        if (statusCode >= 500) faults.push(`deploy: ${statusCode} ${code} ${message}`);
      });
      await pause(2_000);
    }
  };
  const [killed] = await Promise.all([
    kill(random, deadline),
    callAgainAndAgain('a', deadline, settled),
    callAgainAndAgain('b', deadline, settled),
    sending(),
    deploying(),
  ]);
  const good = outcomes.filter((each) => each.status === 200 && each.errorType === '').length;
  t.diagnostic(`killed ${killed.join(' ')}; ${good} of ${outcomes.length} calls answered; ${accepted.length} events`);
  assert.deepEqual(faults, []);
  assert.ok(good > outcomes.length / 2, 'most calls are answered');
  const last = await user.call('sync', { id: 'last' });
  assert.deepEqual([last.status, last.errorType], [200, ''], last.text + last.message);
  const ends = await user.ends('async', accepted, 90_000);
  const doubled = [...ends].filter(([, facts]) => facts.length !== 1).map(([id, facts]) => `${id}: ${facts.length}`);
  assert.deepEqual(doubled, []);
  for (const id of unsure) assert.ok((ends.get(id)?.length ?? 0) <= 1, `${id} ended more than once`);
  assert.equal((await house.end('SIGTERM')).code, 0);
  assert.deepEqual(await house.leftovers(), []);
});
