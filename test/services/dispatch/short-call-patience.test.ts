import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvokeAnswer } from '../../../src/core/ports/dispatch.ts';
import { type InstanceAnswer, type InstanceCall, NotBegunError } from '../../../src/core/ports/instance-link.ts';
import { settle } from '../scheduler/simulated-clock.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld, textOf } from './dispatch-world.ts';

/** A call as its instance sees it. */
interface Held {
  readonly name: string;
  readonly call: InstanceCall;
  begun: boolean;
  readonly refuse: (error: Error) => void;
}

/**
 * Instances that run one call at a time, in order, as the runtime for Node does: `long N` takes 200 ms, every other call is quick.
 * `blocked`: they run JavaScript and read no REVOKE.
 */
class OneAtATime {
  readonly world: DispatchWorld;
  /** Calls that began, with their instance, in order. */
  readonly begun: (readonly [string, string])[] = [];
  revoked = 0;
  blocked = false;
  private readonly held = new Map<string, Held[]>();
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(world: DispatchWorld) {
    this.world = world;
    world.answer = (call, instance) => this.take(call, instance);
  }

  private take(call: InstanceCall, instance: string): Promise<InstanceAnswer> {
    const link = this.world.links.get(instance);
    assert.ok(link);
    Object.assign(link, { revoke: (revoked: InstanceCall) => this.revoke(instance, revoked) });
    const name = call.input.kind === 'event' ? Buffer.from(call.input.payload).toString() : '';
    const before = this.turns.get(instance) ?? Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<InstanceAnswer>();
    const held: Held = { name, call, begun: false, refuse: reject };
    const all = this.held.get(instance) ?? [];
    this.held.set(instance, all);
    all.push(held);
    const turn = before.then(() => {
      if (!all.includes(held)) return undefined;
      return this.run(held, instance).then((answer) => {
        all.splice(all.indexOf(held), 1);
        resolve(answer);
      });
    });
    this.turns.set(instance, turn);
    return promise;
  }

  private async run(held: Held, instance: string): Promise<InstanceAnswer> {
    held.begun = true;
    this.begun.push([held.name, instance]);
    held.call.onBegun?.();
    const quick = !held.name.startsWith('long');
    const payload = Buffer.from(held.name);
    return quick
      ? { errorType: undefined, payload, quick: true }
      : this.world.later(200, { errorType: undefined, payload });
  }

  private revoke(instance: string, call: InstanceCall): void {
    this.revoked++;
    if (this.blocked) return;
    const all = this.held.get(instance) ?? [];
    const held = all.find((each) => each.call === call && !each.begun);
    if (held === undefined) return;
    all.splice(all.indexOf(held), 1);
    held.refuse(new NotBegunError('taken back'));
  }
}

/** Two warm instances of a function whose calls have proven short. */
async function proven() {
  const world = await DispatchWorld.open();
  const spec = world.catalog.put('f');
  const runtime = new OneAtATime(world);
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const call = (name: string): Promise<InvokeAnswer> =>
    world.dispatch.invoke(
      world.command(target, { requestId: name, input: { kind: 'event', payload: Buffer.from(name) } }),
    );
  const first = [call('long 1'), call('long 2')];
  await world.clock.advance(1_000);
  await Promise.all(first);
  assert.equal(world.scheduling.freeSlots(spec.key), 2);
  for (let i = 0; i < 80; i++) {
    const one = call(`quick ${i}`);
    await settle();
    await one;
  }
  runtime.begun.length = 0;
  return { world, spec, runtime, call };
}

test('a call that has waited 5 ms behind a long one is taken back, and runs once, on another instance', async () => {
  const { world, spec, runtime, call } = await proven();
  const factsBefore = world.facts.of('invocation-settled').length;
  const long = call('long');
  const short = call('short');
  await settle();
  assert.deepEqual(
    runtime.begun.map(([name]) => name),
    ['long'],
    'the short one waits behind the long one',
  );
  await world.clock.advance(4);
  assert.equal(runtime.revoked, 0, 'not before its 5 ms');
  await world.clock.advance(11);
  assert.equal(runtime.revoked, 1);
  const answer = await short;
  assert.equal(textOf(answer.payload), 'short');
  assert.deepEqual(
    runtime.begun.map(([name]) => name),
    ['long', 'short'],
  );
  const [[, ofLong], [, ofShort]] = runtime.begun as [readonly [string, string], readonly [string, string]];
  assert.notEqual(ofLong, ofShort);
  assert.equal(answer.instanceId, ofShort);
  const waited = answer.timings.queuedMs;
  assert.ok(waited >= 5 && waited <= 15, `its wait counts as queueing: ${waited} ms`);
  await world.clock.advance(500);
  assert.equal(textOf((await long).payload), 'long');
  assert.equal(world.facts.of('invocation-settled').length - factsBefore, 2, 'one fact each');
  assert.equal(world.scheduling.freeSlots(spec.key), 2, 'every slot came back');
  await world.close();
});

test('after one was taken back, calls get instances of their own until they have proven short again', async () => {
  const { world, runtime, call } = await proven();
  const long = call('long');
  const short = call('short');
  await world.clock.advance(15);
  await short;
  const other = call('other');
  await settle();
  assert.equal(textOf((await other).payload), 'other');
  assert.equal(runtime.revoked, 1);
  await world.clock.advance(500);
  await long;
  await world.close();
});

test('a blocked runtime answers no REVOKE: the call stays where it is, and runs once', async () => {
  const { world, runtime, call } = await proven();
  runtime.blocked = true;
  const long = call('long');
  const short = call('short');
  await world.clock.advance(100);
  assert.ok(runtime.revoked >= 1);
  assert.deepEqual(
    runtime.begun.map(([name]) => name),
    ['long'],
  );
  await world.clock.advance(500);
  const answer = await short;
  assert.equal(textOf(answer.payload), 'short');
  assert.equal(answer.instanceId, (await long).instanceId);
  assert.deepEqual(
    runtime.begun.map(([name]) => name),
    ['long', 'short'],
  );
  await world.close();
});
