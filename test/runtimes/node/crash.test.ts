import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinkBrokenError } from '../../../src/core/ports/instance-link.ts';
import { eventCall, invokeText, loadedRuntime, NODE_COMMANDS, StartedRuntime } from '../started-runtime.ts';

for (const [name, command] of Object.entries(NODE_COMMANDS)) {
  describe(`Node crashes (${name})`, { timeout: 30_000 }, () => {
    for (const [what, code] of [
      ['an exception nobody caught', 'setTimeout(() => { throw new TypeError("late"); }, 1);'],
      ['a rejection nobody handled', 'Promise.reject(new TypeError("late"));'],
    ]) {
      it(`answers the call with ${what}, then ends`, async () => {
        await using started = await loadedRuntime(command, {
          'index.js': `exports.handler = (event, context, callback) => { console.log('before'); ${code} };`,
        });
        const result = await invokeText(started.link);
        assert.equal(result.errorType, 'UnhandledInvocationError');
        const payload = JSON.parse(result.text);
        assert.deepEqual([payload.errorMessage, payload.errorType], ['late', 'TypeError']);
        assert.match(result.output, /before\n.*\[error\] TypeError: late\n/s);
        await started.link.closed;
        assert.equal(await started.runtime.exited(), 1);
      });
    }

    it('fails all calls that overlap', async () => {
      const code = `exports.handler = (event, context, callback) => {
        if (String(event) === 'crash') setTimeout(() => { throw new Error('both'); }, 1); };`;
      await using started = await loadedRuntime(command, { 'index.js': code }, { concurrency: 2 });
      const answers = await Promise.all([invokeText(started.link, 'wait'), invokeText(started.link, 'crash')]);
      assert.deepEqual(
        answers.map(({ text }) => JSON.parse(text).errorMessage),
        ['both', 'both'],
      );
    });

    it('lives on when the function handles such errors itself', async () => {
      const code = `process.on('uncaughtException', (error) => console.log('caught', error.message));
        exports.handler = (event, context, callback) => {
          setTimeout(() => { throw new Error('x'); }, 1);
          setTimeout(() => callback(null, 'alive'), 5); };`;
      await using started = await loadedRuntime(command, { 'index.js': code });
      const result = await invokeText(started.link);
      assert.equal(result.text, 'alive');
      assert.match(result.output, /caught x/);
    });

    it('ends without an answer when the process is ended, and answers what was answered before', async () => {
      const code = `exports.handler = (event, context, callback) => {
        if (String(event) === 'answer') callback(null, 'x'.repeat(100000));
        process.exit(3); };`;
      await using silent = await loadedRuntime(command, { 'index.js': code });
      await assert.rejects(silent.link.invoke(eventCall('')), LinkBrokenError);
      assert.equal(await silent.runtime.exited(), 3);
      await using answering = await loadedRuntime(command, { 'index.js': code });
      assert.equal((await invokeText(answering.link, 'answer')).text.length, 100_000);
    });

    it('logs an error between calls and ends', async () => {
      const code = `exports.handler = async () => { setTimeout(() => { throw new Error('background'); }, 5); return 'ok'; };`;
      await using started = await loadedRuntime(command, { 'index.js': code });
      assert.equal((await invokeText(started.link)).text, 'ok');
      assert.equal(await started.runtime.exited(), 1);
      await started.control.closed;
      assert.match(started.output(), /\[error\] Error: background\n/);
    });

    it('reports a crash while loading or initializing as its failure', async () => {
      await using loading = await StartedRuntime.start(command, {
        'index.mjs': 'setTimeout(() => { throw new Error("async"); }, 1); await new Promise(() => {});',
      });
      const control = await loading.control();
      const loaded = await control.load(loading.loadFrame({}), 5000);
      assert.deepEqual([loaded.ok, loaded.error?.errorMessage], [false, 'async']);
      await using leaving = await StartedRuntime.start(command, { 'index.js': 'process.exit(4);' });
      const gone = await leaving.control();
      await assert.rejects(gone.load(leaving.loadFrame({}), 5000), LinkBrokenError);
      const code = `exports.handler = async () => 1;
        exports.init = (context, callback) => { setTimeout(() => { throw new Error('init'); }, 1); };`;
      await using started = await loadedRuntime(command, { 'index.js': code }, { initializer: 'index.init' });
      const outcome = await started.control.initialize({ requestId: 'i' }, 5000);
      assert.deepEqual([outcome.ok, outcome.error?.errorMessage], [false, 'init']);
    });

    it('gives up on an initializer that takes too long', async () => {
      const code = 'exports.handler = async () => 1; exports.init = (context, callback) => {};';
      await using started = await loadedRuntime(command, { 'index.js': code }, { initializer: 'index.init' });
      await assert.rejects(started.control.initialize({ requestId: 'i' }, 20), { name: 'RuntimeTimeoutError' });
    });
  });
}
