import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type SignedRequest, signed } from '../signing.ts';
import { alive, Installation, until } from './installation.ts';

/** The journal promises 50 ms; a busy machine gets some more. */
const WRITTEN_MS = 200;

let house: Installation;
before(async () => {
  house = await Installation.serving();
});
after(() => house.close());

type Sent = ReturnType<typeof signed>;

const listing = (rest: Partial<SignedRequest> = {}): Sent =>
  signed(house.platform, { method: 'GET', path: '/2023-03-30/functions', ...rest });

async function send({ url, headers }: Sent): Promise<{ status: number; said: string }> {
  const { host: _host, ...rest } = headers;
  const res = await fetch(url, { headers: rest });
  return { status: res.status, said: await res.text() };
}

const RESTARTS: readonly [string, () => Promise<void>][] = [
  [
    'ended in order and started again',
    async () => {
      assert.equal((await house.end('SIGTERM')).code, 0);
      await house.start();
    },
  ],
  [
    'server killed with SIGKILL',
    async () => {
      await pause(WRITTEN_MS);
      const server = house.kill('server');
      await until('it is dead', () => !alive(server));
      await house.successor('server', server);
    },
  ],
  [
    'all killed with SIGKILL',
    async () => {
      await pause(WRITTEN_MS);
      await house.killAll();
      await house.start();
    },
  ],
];

const captured: Sent[] = [];
for (const [what, restart] of RESTARTS) {
  test(`${what}: what was sent before does not pass again, what was signed before does pass once`, async () => {
    const sent = listing();
    const early = listing();
    assert.equal((await send(sent)).status, 200);
    captured.push(sent);
    await restart();
    for (const replay of captured) {
      const { status, said } = await send(replay);
      assert.deepEqual([status, /received before/.test(said)], [403, true], said);
    }
    // Signed a moment before the restart, sent after it: nobody's traffic is refused because of a restart.
    assert.equal((await send(early)).status, 200);
    assert.equal((await send(early)).status, 403);
    captured.push(early);
  });
}
