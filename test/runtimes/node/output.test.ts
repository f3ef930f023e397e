import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { invokeText, loadedRuntime, NODE_COMMANDS } from '../started-runtime.ts';

for (const [name, command] of Object.entries(NODE_COMMANDS)) {
  describe(`Node output (${name})`, { timeout: 30_000 }, () => {
    async function outputOf(body: string, env: Record<string, string> = {}): Promise<string> {
      const code = `exports.handler = async (event, context) => { ${body} };`;
      await using started = await loadedRuntime(command, { 'index.js': code }, { env });
      const { output, errorType, text } = await invokeText(started.link, '', { requestId: 'req-1' });
      assert.equal(errorType, undefined, text);
      assert.equal(started.runtime.rawOutput, '');
      return output;
    }

    it('gives every level its line with time and request id', async () => {
      const output = await outputOf(`console.log('a %d', 1, { b: 2 }); console.info('i'); console.debug('d');
        console.warn('w'); console.error(new Error('e').message); context.logger.info('logger');`);
      const lines = output.trimEnd().split('\n');
      const pattern = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} req-1 (\[\w+\] .*)$/;
      assert.deepEqual(
        lines.map((line) => pattern.exec(line)?.[1]),
        ['[info] a 1 { b: 2 }', '[info] i', '[debug] d', '[warn] w', '[error] e', '[info] logger'],
      );
    });

    it('writes the time in the function’s own zone', async () => {
      const output = await outputOf('console.log(new Date().getHours());', { TZ: 'Pacific/Kiritimati' });
      const [, hour, said] = /^\S+ (\d\d):.*\[info\] (\d+)\n$/.exec(output) ?? [];
      assert.equal(Number(hour), Number(said));
    });

    it('leaves text for the standard streams raw', async () => {
      const output = await outputOf(
        `process.stdout.write('raw '); process.stderr.write(Buffer.from('bytes ü\\n'));
         await new Promise((done) => process.stdout.write('6162', 'hex', done));`,
      );
      assert.equal(output, 'raw bytes ü\nab');
    });

    it('filters by ALIYUN_FC_LOG_LEVEL', async () => {
      const output = await outputOf(`console.debug('d'); console.log('i'); console.warn('w'); console.error('e');`, {
        ALIYUN_FC_LOG_LEVEL: 'WARN',
      });
      assert.deepEqual(output.match(/\[\w+\]/g), ['[warn]', '[error]']);
    });

    it('indents groups and keeps tables, traces and dirs', async () => {
      const output = await outputOf(`console.group('outer'); console.log('in\\nner'); console.groupEnd();
        console.table([{ a: 1 }]); console.dir({ deep: 1 }); console.assert(false, 'asserted'); console.trace('here');`);
      assert.match(output, /\[info\] outer\n.*\[info\] {3}in\n {2}ner\n/);
      assert.match(output, /│ 0 +│ 1 /);
      assert.match(output, /\{ deep: 1 \}\n/);
      assert.match(output, /\[warn\] Assertion failed: asserted/);
      assert.match(output, /\[error\] Trace: here\n/);
    });

    it('splits very long lines without losing a character', async () => {
      const output = await outputOf(`process.stdout.write('😀'.repeat(400000));`);
      assert.equal(output.length, 800_000);
      assert.ok(output === '😀'.repeat(400_000), 'characters were torn');
    });

    it('attributes output of overlapping calls to each of them', async () => {
      const code = `exports.handler = async (event) => {
        for (let i = 0; i < 5; i++) { console.log('from', String(event)); await new Promise((r) => setTimeout(r, 1)); }
        return 'ok'; };`;
      await using started = await loadedRuntime(command, { 'index.js': code }, { concurrency: 8 });
      const names = ['a', 'b', 'c', 'd'];
      const results = await Promise.all(names.map((who) => invokeText(started.link, who, { requestId: `id-${who}` })));
      for (const [index, { output }] of results.entries()) {
        const who = names[index];
        const lines = output.trimEnd().split('\n');
        assert.equal(lines.length, 5);
        for (const line of lines) assert.match(line, new RegExp(` id-${who} \\[info\\] from ${who}$`));
      }
    });

    it('gives what is written outside calls to the agent, with the code’s load line', async () => {
      const code = `console.log('loading'); exports.handler = async () => {
        await new Promise((done) => { setTimeout(done, 1); }); setTimeout(() => console.log('after'), 2); return 'x'; };`;
      await using started = await loadedRuntime(command, { 'index.js': code });
      assert.match(started.output(), /^load code for handler:index\.handler\n.* load-1 \[info\] loading\n$/);
      const after = Promise.withResolvers<void>();
      started.control.onOutput((text) => text.includes('after') && after.resolve());
      assert.equal((await invokeText(started.link)).output, '');
      await after.promise;
    });

    it('falls back to descriptor 1 when no agent listens', async () => {
      const code = `exports.handler = async () => { setTimeout(() => console.log('alone'), 20); return 'x'; };`;
      await using started = await loadedRuntime(command, { 'index.js': code });
      const seen = Promise.withResolvers<void>();
      started.runtime.process.stdout?.on('data', (text) => String(text).includes('alone') && seen.resolve());
      started.control.close();
      await invokeText(started.link);
      await seen.promise;
    });
  });
}
