import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { readAffinity } from '../../../src/core/domain/session.ts';
import type { Target } from '../../../src/core/ports/dispatch.ts';
import type { SessionLease } from '../../../src/core/ports/sessions.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { createSessions } from '../../../src/services/scheduler/sessions.ts';
import { MemoryStore } from '../control/memory-world.ts';
import { World } from './world.ts';

const HEADER = { affinityHeaderFieldName: 'x-session', sessionConcurrencyPerInstance: 2 };

/** Sessions over the real scheduler; `restart` is a new server over the same store and instances. */
class SessionWorld extends World {
  readonly store = new MemoryStore();
  scheduling = createScheduling({ ...this.parts(), epoch: 1, limits: {} });
  sessions = createSessions({ ...this.parts(), scheduling: this.scheduling, store: this.store });
  private epoch = 1;

  async open(): Promise<void> {
    await this.scheduling.start();
    await this.sessions.start();
  }

  async restart(): Promise<void> {
    await this.close();
    this.pool.found = [...this.pool.running.values()].map(({ instanceId, spec }) => ({
      instanceId,
      nodeId: 'node',
      spec,
      address: { kind: 'frames', path: instanceId },
    }));
    this.scheduling = createScheduling({ ...this.parts(), epoch: ++this.epoch, limits: {} });
    this.sessions = createSessions({ ...this.parts(), scheduling: this.scheduling, store: this.store });
    await this.open();
  }

  target(more: object = {}): Target {
    const sessionAffinity = readAffinity('HEADER_FIELD', { ...HEADER, ...more });
    const spec = this.catalog.put('f', { runtime: 'custom.debian12', instanceConcurrency: 200, sessionAffinity });
    return { spec, qualifier: 'LATEST' };
  }

  async call(target: Target, id?: string): Promise<SessionLease> {
    const waiting = this.sessions.acquire(target, id, 'r', new AbortController().signal);
    waiting.catch(() => undefined);
    for (let i = 0; i < 20; i++) await this.clock.advance(20);
    return waiting;
  }

  async close(): Promise<void> {
    this.sessions.close();
    await this.scheduling.close();
  }
}

async function open(): Promise<SessionWorld> {
  const world = new SessionWorld();
  await world.open();
  return world;
}

test('an instance holds as many sessions as it may, and a session keeps its own', async () => {
  const world = await open();
  const target = world.target();
  const leases = [await world.call(target, 'a'), await world.call(target, 'b'), await world.call(target, 'c')];
  const [a, b, c] = leases.map(({ instanceId }) => instanceId);
  assert.equal(a, b);
  assert.notEqual(a, c);
  assert.deepEqual(
    leases.map(({ session }) => session.created),
    [true, true, true],
  );
  for (const lease of leases) lease.release('ok');
  const again = await world.call(target, 'b');
  assert.deepEqual([again.instanceId, again.session.created], [b, false]);
  again.release('ok');
  await world.close();
});

test('first requests of a session at the same time begin one session', async () => {
  const world = await open();
  const target = world.target({ sessionConcurrencyPerInstance: 1 });
  const [one, two] = await Promise.all([world.call(target, 'a'), world.call(target, 'a')]);
  assert.equal(one.instanceId, two.instanceId);
  assert.equal(world.sessions.list(target.spec.account, 'f', undefined).length, 1);
  await world.close();
});

test('sessions go on after a restart where their instance does, and have ended where it does not', async () => {
  const world = await open();
  const target = world.target({ sessionConcurrencyPerInstance: 1 });
  const [a, b] = [await world.call(target, 'a'), await world.call(target, 'b')];
  a.release('ok');
  b.release('ok');
  world.pool.running.delete(b.instanceId);
  await world.restart();
  const states = world.sessions.list(target.spec.account, 'f', undefined).map((each) => [each.sessionId, each.status]);
  assert.deepEqual(states, [
    ['a', 'Active'],
    ['b', 'Expired'],
  ]);
  assert.equal((await world.call(target, 'a')).instanceId, a.instanceId);
  const other = await world.call(target, 'c');
  assert.notEqual(other.instanceId, a.instanceId, 'the slot of the session is held');
  await world.close();
});

test('a session ends with its instance; its id begins a new one unless that is forbidden', async () => {
  const world = await open();
  const target = world.target();
  const first = await world.call(target, 'a');
  world.pool.exit(first.instanceId, 'crash');
  first.release('broken');
  const next = await world.call(target, 'a');
  assert.notEqual(next.instanceId, first.instanceId);
  assert.equal(next.session.created, true);
  await world.close();
  const strict = await open();
  const once = strict.target({ disableSessionIdReuse: true });
  const lease = await strict.call(once, 'a');
  strict.pool.exit(lease.instanceId, 'crash');
  await assert.rejects(strict.call(once, 'a'), { code: 'InvalidSession', status: 401 });
  await strict.close();
});

test('idle sessions end in time, running calls keep theirs until its time to live is over', async () => {
  const world = await open();
  const target = world.target({ sessionIdleTimeoutInSeconds: 10, sessionTTLInSeconds: 60 });
  const lease = await world.call(target, 'a');
  const status = () => world.sessions.list(target.spec.account, 'f', undefined)[0]?.status;
  await world.clock.advance(30_000);
  assert.equal(status(), 'Active');
  lease.release('ok');
  await world.clock.advance(11_000);
  assert.equal(status(), 'Expired');
  const second = await world.call(target, 'b');
  await world.clock.advance(61_000);
  assert.equal(world.sessions.list(target.spec.account, 'f', undefined)[1]?.status, 'Expired');
  second.release('ok');
  await world.close();
});

test('an instance runs 200 calls of its sessions, the next is refused by name', async () => {
  const world = await open();
  const target = world.target();
  await world.call(target, 'a');
  const signal = new AbortController().signal;
  for (let i = 1; i < LIMITS.instanceConcurrencyMax; i++) await world.sessions.acquire(target, 'a', 'r', signal);
  await assert.rejects(world.sessions.acquire(target, 'a', 'r', signal), {
    code: 'ResourceExhausted',
    reason: 'session-instance',
  });
  await world.close();
});

test('deleting the function ends its sessions and forgets them', async () => {
  const world = await open();
  const target = world.target();
  (await world.call(target, 'a')).release('ok');
  world.catalog.delete('f');
  await world.clock.advance(100);
  assert.deepEqual(world.sessions.list(target.spec.account, 'f', undefined), []);
  assert.equal([...world.store.entries.keys()].length, 0);
  await world.close();
});
