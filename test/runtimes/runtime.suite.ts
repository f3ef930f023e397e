import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { answerTooLarge } from '../../src/core/domain/function-failure.ts';
import { LIMITS } from '../../src/core/domain/limits.ts';
import { LinkBrokenError, StaleEpochError } from '../../src/core/ports/instance-link.ts';
import { bytesOf, eventCall, invokeText, type LoadedRuntime, loadedRuntime } from './started-runtime.ts';

/**
 * What a runtime must do in whatever language. `files` is a function `index.handler` that takes one word and the rest of
 * its text: `echo` answers the rest; `print` prints the rest as a line and answers `done`; `wait` prints `waiting`, then
 * waits until the file named by the rest exists and answers its name; `child` has a child process print the rest to its
 * descriptors 1 and 2; `exit` prints the rest and ends the process with code 7; `spin` prints the rest and loops for ever;
 * `big` answers as many bytes as the rest says.
 */
export interface RuntimeUnderTest {
  readonly name: string;
  readonly runtimeId: string;
  readonly command: readonly string[];
  readonly files: Readonly<Record<string, string>>;
}

function start(under: RuntimeUnderTest): Promise<LoadedRuntime> {
  return loadedRuntime(under.command, under.files, { runtime: under.runtimeId });
}

/** Resolves once the runtime has printed `text` during `call`. */
function printed(text: string): { promise: Promise<void>; onOutput: (chunk: string) => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = '';
  return {
    promise,
    onOutput(chunk) {
      seen += chunk;
      if (seen.includes(text)) resolve();
    },
  };
}

export function runtimeSuite(under: RuntimeUnderTest): void {
  describe(`Runtime: ${under.name}`, { timeout: 60_000 }, () => {
    it('says hello as booted, then as loaded', async () => {
      await using started = await start(under);
      assert.equal(started.control.hello.state, 'booted');
      assert.ok(started.loaded.ok);
      const again = await started.runtime.control();
      assert.equal(again.hello.state, 'loaded');
      assert.equal(again.hello.protocol, 1);
    });

    it('puts all output of a call before its answer, tagged with the call', async () => {
      await using started = await start(under);
      for (let round = 0; round < 50; round++) {
        const { text, output } = await invokeText(started.link, `print round ${round}`);
        assert.equal(text, 'done');
        assert.match(output, new RegExp(`round ${round}\n$`));
      }
      assert.equal(started.runtime.rawOutput, '');
    });

    it('reports its peak memory', async () => {
      await using started = await start(under);
      const { memoryMb } = await invokeText(started.link, 'echo x');
      assert.ok(memoryMb !== undefined && memoryMb > 5 && memoryMb < 500, `${memoryMb} MB`);
    });

    it('leaves the descriptors of child processes to the sandbox', async () => {
      await using started = await start(under);
      await invokeText(started.link, 'child from below');
      assert.equal(started.runtime.rawOutput, 'from below\nfrom below\n');
    });

    it('takes and gives payloads in chunks, unchanged', async () => {
      await using started = await start(under);
      const payload = Buffer.concat([Buffer.from('echo '), Buffer.alloc(3_000_001, 'abcdefg')]);
      const answer = await started.link.invoke(eventCall(payload));
      assert.ok((await bytesOf(answer)).equals(payload.subarray(5)), 'the echo differs');
    });

    for (const bytes of [0, 1, 262_143, 262_144, 262_145, 524_288, 33_554_432]) {
      it(`gives ${bytes} bytes`, async () => {
        await using started = await start(under);
        const answer = await started.link.invoke(eventCall(`big ${bytes}`));
        assert.equal((await bytesOf(answer)).length, bytes);
      });
    }

    it('fails a call whose answer is longer than the platform passes on, before any of it is sent', async () => {
      await using started = await start(under);
      const answer = await started.link.invoke(eventCall(`big ${LIMITS.responsePayloadBytes + 1}`));
      const { errorMessage, errorType } = JSON.parse((await bytesOf(answer)).toString()) as Record<string, unknown>;
      assert.equal(answer.errorType, 'UnhandledInvocationError');
      const { errorMessage: expected, errorType: type } = answerTooLarge(LIMITS.responsePayloadBytes);
      assert.deepEqual([errorMessage, errorType], [expected, type]);
      assert.equal((await invokeText(started.link, 'echo on')).text, 'on');
    });

    it('serves a new server while a call of the old one runs, and tells when it has ended', async () => {
      await using started = await start(under);
      const gate = join(started.runtime.folder, 'gate');
      const waiting = printed('waiting');
      const call = eventCall(`wait ${gate}`, { requestId: 'r-old', onOutput: waiting.onOutput });
      const old = assert.rejects(started.link.invoke(call), LinkBrokenError);
      await waiting.promise;
      started.link.close();
      await old;
      const next = await started.runtime.link(2);
      assert.deepEqual(next.busyAtConnect, ['r-old']);
      await writeFile(gate, '');
      await next.drained();
      assert.equal((await invokeText(next, 'echo again', { epoch: 2 })).text, 'again');
    });

    it('answers the old server too, when it still listens', async () => {
      await using started = await start(under);
      const gate = join(started.runtime.folder, 'gate');
      const waiting = printed('waiting');
      const call = started.link.invoke(eventCall(`wait ${gate}`, { onOutput: waiting.onOutput }));
      await waiting.promise;
      const next = await started.runtime.link(2);
      assert.equal(next.busyAtConnect.length, 1);
      await writeFile(gate, '');
      assert.equal((await bytesOf(await call)).toString(), gate);
      await next.drained();
    });

    it('refuses calls of an epoch that is over', async () => {
      await using started = await start(under);
      assert.equal((await invokeText(started.link, 'echo 1')).text, '1');
      const next = await started.runtime.link(5);
      await assert.rejects(started.link.invoke(eventCall('echo 2')), StaleEpochError);
      assert.equal((await invokeText(next, 'echo 3', { epoch: 5 })).text, '3');
      await assert.rejects(next.invoke(eventCall('echo 4', { epoch: 4 })), StaleEpochError);
    });

    it('serves an agent that comes back', async () => {
      await using started = await start(under);
      started.control.close();
      await started.control.closed;
      const again = await started.runtime.control();
      const outcome = await again.preStop({ requestId: 'p' }, 5000);
      assert.equal(outcome.ok, false, 'no hook is configured');
    });

    it('loses no output when the process ends itself', async () => {
      await using started = await start(under);
      const seen = printed('last words');
      await assert.rejects(started.link.invoke(eventCall('exit last words', seen)), LinkBrokenError);
      await seen.promise;
      assert.equal(await started.runtime.exited(), 7);
    });

    it('has sent what was printed before an endless loop', async () => {
      await using started = await start(under);
      const seen = printed('spinning');
      const aborter = new AbortController();
      const call = started.link.invoke(eventCall('spin spinning', { ...seen, signal: aborter.signal }));
      await seen.promise;
      aborter.abort(new Error('time is up'));
      await assert.rejects(call, /time is up/);
    });

    it('keeps output of a call whose server is gone', async () => {
      await using started = await start(under);
      const gate = join(started.runtime.folder, 'gate');
      const waiting = printed('waiting');
      const call = started.link.invoke(eventCall(`wait ${gate}`, { onOutput: waiting.onOutput }));
      await waiting.promise;
      started.link.close();
      await assert.rejects(call, LinkBrokenError);
      await started.link.closed;
      const next = await started.runtime.link(2);
      await writeFile(gate, '');
      await next.drained();
      await invokeText(next, 'echo x', { epoch: 2 });
      assert.match(started.output() + started.runtime.rawOutput, /waited/);
    });

    it('survives peers that speak nonsense', async () => {
      await using started = await start(under);
      const { connect } = await import('node:net');
      for (const bytes of [
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0]),
        Buffer.from([1, 0, 0, 0, 0x01, 0, 0, 0, 0, 0x7b]),
      ]) {
        const socket = connect(started.runtime.path);
        socket.on('error', () => socket.destroy());
        await new Promise<void>((resolve) => {
          socket.on('close', () => resolve());
          socket.resume();
          socket.write(bytes);
        });
      }
      assert.equal((await invokeText(started.link, 'echo still here')).text, 'still here');
    });
  });
}
