import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type InstanceAnswer, type InstanceCall, type InstanceLink, LinkBrokenError } from './instance-link.ts';

/**
 * A link to an instance that runs the exercise: the payload is JSON, and `do` says what happens. `echo` answers `data`;
 * `fail` fails; `hold` answers `data` once `release` was called for the same `key`; `repeat` answers `data` repeated
 * `times` times; `exit` ends the process without an answer.
 */
export interface ExercisedLink extends AsyncDisposable {
  readonly link: InstanceLink;
}

export interface ExerciseOrder {
  readonly do: 'echo' | 'fail' | 'hold' | 'release' | 'repeat' | 'exit';
  readonly data?: string;
  readonly key?: string;
  readonly times?: number;
}

const PATIENCE_MS = 20_000;
let count = 0;

function callOf(order: ExerciseOrder, signal: AbortSignal = AbortSignal.timeout(PATIENCE_MS)): InstanceCall {
  count += 1;
  return {
    requestId: `1-suite-${count}`,
    epoch: 1,
    qualifier: 'LATEST',
    retryCount: 0,
    deadline: Date.now() + PATIENCE_MS,
    credentials: { accessKeyId: 'ak', accessKeySecret: 'sk', securityToken: 'st', expiresAt: 0 },
    input: { kind: 'event', payload: Buffer.from(JSON.stringify(order)) },
    signal,
  };
}

async function bodyOf(answer: InstanceAnswer): Promise<string> {
  if (answer.payload instanceof Uint8Array) return Buffer.from(answer.payload).toString();
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.payload) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** What every InstanceLink promises. `start` makes a new instance with a link that takes `concurrency` calls at once. */
export function instanceLinkSuite(name: string, start: (concurrency: number) => Promise<ExercisedLink>): void {
  describe(`InstanceLink: ${name}`, { timeout: 60_000 }, () => {
    it('gives each of many parallel calls its own answer', async () => {
      await using exercised = await start(100);
      const texts = Array.from({ length: 200 }, (_, index) => `${index}:${'ü'.repeat(index)}`);
      const answers = await Promise.all(
        texts.map(async (data) => bodyOf(await exercised.link.invoke(callOf({ do: 'echo', data })))),
      );
      assert.deepEqual(answers, texts);
    });

    it('gives a failure of the function as an answer', async () => {
      await using exercised = await start(1);
      const answer = await exercised.link.invoke(callOf({ do: 'fail', data: 'oops' }));
      assert.equal(answer.errorType, 'UnhandledInvocationError');
      assert.match(await bodyOf(answer), /oops/);
    });

    it('carries large payloads both ways unchanged', async () => {
      await using exercised = await start(1);
      const data = Array.from({ length: 300_000 }, (_, index) => `${index},`).join('');
      const answer = await exercised.link.invoke(callOf({ do: 'echo', data }));
      assert.ok((await bodyOf(answer)) === data, 'the echo differs');
    });

    it('waits for a slow reader and loses nothing', async () => {
      await using exercised = await start(1);
      const times = 800_000;
      const answer = await exercised.link.invoke(callOf({ do: 'repeat', data: '0123456789', times }));
      assert.ok(!(answer.payload instanceof Uint8Array), 'a result of this size is streamed');
      let bytes = 0;
      for await (const piece of answer.payload) {
        bytes += piece.byteLength;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(bytes, times * 10);
    });

    it('rejects with the reason of the signal and keeps serving other calls', async () => {
      await using exercised = await start(4);
      const aborter = new AbortController();
      const held = exercised.link.invoke(callOf({ do: 'hold', key: 'a', data: 'late' }, aborter.signal));
      assert.equal(await bodyOf(await exercised.link.invoke(callOf({ do: 'echo', data: 'x' }))), 'x');
      const reason = new Error('the caller left');
      aborter.abort(reason);
      await assert.rejects(held, reason);
      assert.equal(await bodyOf(await exercised.link.invoke(callOf({ do: 'echo', data: 'y' }))), 'y');
    });

    it('rejects at once when the signal is already aborted', async () => {
      await using exercised = await start(1);
      const reason = new Error('too late');
      await assert.rejects(exercised.link.invoke(callOf({ do: 'echo', data: 'x' }, AbortSignal.abort(reason))), reason);
    });

    it('keeps two calls in flight apart when the later one ends first', async () => {
      await using exercised = await start(4);
      const held = exercised.link.invoke(callOf({ do: 'hold', key: 'b', data: 'first' }));
      assert.equal(await bodyOf(await exercised.link.invoke(callOf({ do: 'echo', data: 'second' }))), 'second');
      await exercised.link.invoke(callOf({ do: 'release', key: 'b' }));
      assert.equal(await bodyOf(await held), 'first');
    });

    it('rejects everything in flight with LinkBrokenError when the process ends', async () => {
      await using exercised = await start(4);
      const held = assert.rejects(exercised.link.invoke(callOf({ do: 'hold', key: 'c' })), LinkBrokenError);
      await bodyOf(await exercised.link.invoke(callOf({ do: 'echo', data: 'x' })));
      await assert.rejects(exercised.link.invoke(callOf({ do: 'exit' })), LinkBrokenError);
      await held;
    });

    it('ends what is in flight when closed, resolves `closed` and refuses further calls', async () => {
      await using exercised = await start(4);
      const held = assert.rejects(exercised.link.invoke(callOf({ do: 'hold', key: 'd' })), LinkBrokenError);
      await bodyOf(await exercised.link.invoke(callOf({ do: 'echo', data: 'x' })));
      exercised.link.close();
      exercised.link.close();
      await exercised.link.closed;
      await held;
      await assert.rejects(exercised.link.invoke(callOf({ do: 'echo', data: 'x' })), LinkBrokenError);
    });

    it('has nothing to drain on a fresh instance', async () => {
      await using exercised = await start(1);
      assert.deepEqual(exercised.link.busyAtConnect, []);
      await exercised.link.drained();
    });
  });
}
