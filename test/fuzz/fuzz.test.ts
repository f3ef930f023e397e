import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FuzzFinding, fuzz } from './fuzzer.ts';
import type { FuzzTarget } from './target.ts';
import { TARGETS } from './targets.ts';

const RUNS = 400;

for (const target of TARGETS) {
  test(`${target.name}: refuses or takes, in bounded time and memory`, async () => {
    const { runs, refused } = await fuzz(target, 20_261, (done) => done >= RUNS);
    assert.equal(runs, Math.max(RUNS, target.seeds.length));
    assert.ok(refused <= runs);
  });
}

/** These refuse whatever they are given here: nobody guesses the secret. */
const GUARDS = new Set(['basic-auth', 'bearer-auth', 'webhook-signature']);

test('every seed of a parser is taken by it or refused, and each parser takes at least one', async () => {
  for (const target of TARGETS.filter(({ name }) => !GUARDS.has(name))) {
    const { runs, refused } = await fuzz(target, 1, () => true);
    assert.ok(refused < runs, `${target.name} refuses all of its seeds`);
  }
});

const planted = (run: (bytes: Buffer) => void): FuzzTarget => ({ name: 'planted', seeds: ['{"a":[1,2]}'], run });
const found = (run: (bytes: Buffer) => void, what: RegExp): Promise<void> =>
  assert.rejects(
    fuzz(planted(run), 1, (runs) => runs >= 5_000),
    (error) => error instanceof FuzzFinding && what.test(error.message),
  );

test('a planted exception is found', () =>
  found((bytes) => {
    if (bytes.includes('__proto__')) throw new TypeError('planted');
  }, /threw TypeError: planted/));

test('a planted slow path is found', () =>
  found((bytes) => {
    // CPU time, as the bound is: others may have the processor meanwhile
    const begin = process.cpuUsage();
    while (bytes.includes('[[') && process.cpuUsage(begin).user < 600_000);
  }, /took \d+ ms/));

test('planted memory is found', async () => {
  const held: Buffer[] = [];
  await found((bytes) => {
    if (bytes.includes('9007199254740993')) held.push(Buffer.alloc(200 * 1024 * 1024));
  }, /holds \d+ bytes/);
});

test('a planted change of the prototype of all objects is found', async () => {
  try {
    await found((bytes) => {
      if (bytes.includes('constructor')) Object.assign(Object.prototype, { planted: 1 });
    }, /prototype got planted/);
  } finally {
    Reflect.deleteProperty(Object.prototype, 'planted');
  }
});

test('the same seed gives the same inputs', async () => {
  const inputs = async (seed: number): Promise<string[]> => {
    const seen: string[] = [];
    await fuzz(
      planted((bytes) => void seen.push(bytes.toString('hex'))),
      seed,
      (runs) => runs >= 100,
    );
    return seen;
  };
  assert.deepEqual(await inputs(7), await inputs(7));
  assert.notDeepEqual(await inputs(7), await inputs(8));
});
