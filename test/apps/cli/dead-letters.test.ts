import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { command } from './command.ts';
import { FakePlatform } from './fake-platform.ts';

let fake: FakePlatform;
let env: Readonly<Record<string, string>>;

const LETTER = {
  number: 17,
  at: Date.UTC(2026, 0, 2),
  acceptedAt: Date.UTC(2026, 0, 1),
  account: '1',
  functionName: 'resize',
  kind: 'invocation',
  state: 'Failed',
  requestId: '1-abc',
  taskId: '1-abc',
  qualifier: 'LATEST',
  message: 'out of luck\nand more',
  attempts: 4,
  payloadBytes: 2,
};

beforeEach(async () => {
  fake = new FakePlatform();
  env = await fake.open();
});
afterEach(() => fake.close());

const paths = () => fake.requests.map(({ method, path }) => `${method} ${path}`);

test('dead letters are listed with every filter, and shown with their payload', async () => {
  fake.answers.set('ListDeadLetters', { body: { letters: [LETTER] } });
  const listed = await command(
    ['dead-letters', 'list', '--function', 'resize', '--state', 'Failed', '--text', 'luck', '--limit', '5'],
    env,
  );
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /17 +2026-01-02T00:00:00 +resize +invocation +Failed +4 +1-abc +out of luck\n/);
  assert.deepEqual(paths(), ['GET /tidemill/v1/dead-letters?function=resize&limit=5&state=Failed&text=luck']);
  fake.answers.set('GetDeadLetter', { body: { letter: LETTER, headers: { a: 1 }, payload: 'aGk=' } });
  const shown = await command(['dead-letters', 'show', '17'], env);
  assert.match(shown.stdout, /^message: out of luck$/m);
  assert.match(shown.stdout, /^payload: hi$/m);
});

test('redrive and delete take numbers, a filter, or --all, and refuse to guess', async () => {
  fake.answers.set('RedriveDeadLetters', { body: { redriven: 1 } });
  fake.answers.set('DeleteDeadLetters', { body: { deleted: 9 } });
  const redriven = await command(['dead-letters', 'redrive', '17', '18', '-q', 'prod', '--json'], env);
  assert.deepEqual(JSON.parse(redriven.stdout), { redriven: 2 });
  const deleted = await command(['dead-letters', 'delete', '--all'], env);
  assert.equal(deleted.stdout, '9 dead letters are deleted\n');
  await command(['dead-letters', 'redrive', '--function', 'resize'], env);
  const base = 'POST /tidemill/v1/dead-letters';
  assert.deepEqual(paths(), [
    `${base}/redrive?number=17&qualifier=prod`,
    `${base}/redrive?number=18&qualifier=prod`,
    `${base}/delete?all=true`,
    `${base}/redrive?function=resize`,
  ]);
  for (const args of [['redrive'], ['delete'], ['delete', '--all', '3'], ['redrive', '--all', '--text', 'x']]) {
    assert.equal((await command(['dead-letters', ...args], env)).code, 2, args.join(' '));
  }
  assert.equal((await command(['dead-letters', 'list', '--since', 'soon'], env)).code, 2);
  assert.equal(fake.requests.length, 4);
});

test('queue shows what waits, and since when', async () => {
  const queues = [
    { function: 'resize', deliveries: false, waiting: 3, running: 1, oldestAcceptedAt: Date.now() - 90_000 },
    { function: 'resize', deliveries: true, waiting: 1, running: 0 },
  ];
  fake.answers.set('ShowQueue', { body: { queues } });
  const { stdout } = await command(['queue', 'resize'], env);
  assert.match(stdout, /resize +events +3 +1 +(90|1)/);
  assert.match(stdout, /resize +deliveries +1 +0/);
  assert.deepEqual(paths(), ['GET /tidemill/v1/queue?function=resize']);
});
