import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecEnd, ExecListener, ExecRequest, ExecSession } from './exec.ts';
import type { SandboxHandle } from './sandbox.ts';
import { Heard, type SandboxWorld, scripted } from './sandbox.suite.ts';

/** A listener that reads as fast as it is told, and can be told to stop. */
class Listening implements ExecListener {
  readonly text = { 1: '', 2: '' };
  bytes = 0;
  reading = true;
  private readonly end = Promise.withResolvers<ExecEnd>();
  readonly ending = this.end.promise;
  private readonly looks = new Set<() => void>();
  private room = Promise.withResolvers<void>();

  output(channel: 1 | 2, bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    if (this.bytes < 100_000) this.text[channel] += Buffer.from(bytes).toString();
    for (const look of this.looks) look();
    return this.reading;
  }

  drained(): void {
    this.room.resolve();
    this.room = Promise.withResolvers();
  }

  ended(end: ExecEnd): void {
    this.end.resolve(end);
  }

  /** Resolves at the next `drained`. */
  get whenDrained(): Promise<void> {
    return this.room.promise;
  }

  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!done()) return;
        this.looks.delete(look);
        resolve();
      };
      this.looks.add(look);
      look();
    });
  }
}

function asked(script: string, changes: Partial<ExecRequest> = {}): ExecRequest {
  return { command: ['sh', '-c', script], tty: false, stdin: true, columns: 80, rows: 24, env: {}, ...changes };
}

/** Reads what the sandbox counts as its processes until it is `expected`. */
async function processes(handle: SandboxHandle, expected: number): Promise<void> {
  while ((await handle.stats()).processes !== expected) await pause(5);
}

/** What an adapter of sandboxes promises about sessions. `confined`: it knows all processes of a sandbox, and finds what hides. */
export function execSuite(
  name: string,
  options: { readonly terminals: boolean; readonly confined: boolean },
  open: () => Promise<SandboxWorld>,
  skip?: string,
): void {
  describe(`sessions: ${name}`, { timeout: 120_000, ...(skip === undefined ? {} : { skip }) }, () => {
    let world: SandboxWorld;
    let handle: SandboxHandle;
    before(async () => {
      world = await open();
      handle = await world.runtime().create(scripted("setInterval(() => {}, 1e6); console.log('up')"));
      await new Heard(handle).until('up');
    });
    after(async () => {
      await handle.destroy();
      await world.close();
      assert.deepEqual(await world.leaks(), []);
    });
    const run = async (request: ExecRequest): Promise<{ heard: Listening; session: ExecSession }> => {
      const heard = new Listening();
      return { heard, session: await handle.exec(request, heard) };
    };

    it('tells both streams apart, gives the variables, and ends with the exit code', async () => {
      const { heard } = await run(asked('echo "$MINE"; echo bad >&2; exit 7', { env: { MINE: 'yes' } }));
      assert.deepEqual(await heard.ending, { exitCode: 7 });
      assert.deepEqual(heard.text, { 1: 'yes\n', 2: 'bad\n' });
    });

    it('passes input on until its end; without input there is none', async () => {
      const { heard, session } = await run(asked('cat; echo over'));
      session.write(Buffer.from('one '));
      session.write(Buffer.from('two '));
      session.end();
      assert.deepEqual(await heard.ending, { exitCode: 0 });
      assert.equal(heard.text[1], 'one two over\n');
      const none = await run(asked('cat; echo over', { stdin: false }));
      assert.deepEqual(await none.heard.ending, { exitCode: 0 });
      assert.equal(none.heard.text[1], 'over\n');
    });

    it('stops reading when told, and loses nothing', async () => {
      const { heard, session } = await run(asked('head -c 5000000 /dev/zero'));
      heard.reading = false;
      await heard.until(() => heard.bytes > 0);
      const before = heard.bytes;
      await pause(100);
      assert.ok(heard.bytes - before < 1_000_000, `${heard.bytes} came unasked`);
      heard.reading = true;
      session.resume();
      assert.deepEqual(await heard.ending, { exitCode: 0 });
      assert.equal(heard.bytes, 5_000_000);
    });

    it('makes the writer wait for a command that does not read', async () => {
      const { heard, session } = await run(asked('read line; echo started; cat | wc -c'));
      const chunk = Buffer.alloc(65_536, 'x');
      const drained = heard.whenDrained;
      let sent = 0;
      session.write(Buffer.from('go\n'));
      while (session.write(chunk)) assert.ok(++sent < 10_000, 'it took everything');
      await drained;
      session.end();
      assert.deepEqual(await heard.ending, { exitCode: 0 });
      assert.match(heard.text[1], new RegExp(`^started\\n${(sent + 1) * chunk.length}\\n$`));
    });

    it('a closed session ends, and so does what it has left running', async () => {
      const { processes: alone } = await handle.stats();
      const { heard, session } = await run(
        asked(`${options.confined ? 'env -i ' : ''}setsid sleep 1000000 & echo up; sleep 1000000`),
      );
      await heard.until(() => heard.text[1] === 'up\n');
      session.close();
      session.close();
      const { exitCode } = await heard.ending;
      assert.notEqual(exitCode, 0);
      if (options.confined) await processes(handle, alone);
      const left = await run(asked('setsid sleep 1000000 > /dev/null 2>&1 & exit 3'));
      assert.deepEqual(await left.heard.ending, { exitCode: 3 });
      if (options.confined) await processes(handle, alone);
    });

    it('a command that is not there is told on the error output', async () => {
      const { heard } = await run({ ...asked(''), command: ['sh', '-c', 'exec /no/such/program'] });
      const { exitCode } = await heard.ending;
      assert.ok(exitCode !== undefined && exitCode !== 0);
      assert.match(heard.text[2], /no.such.program/);
    });

    it(options.terminals ? 'a terminal has its size and is resized' : 'refuses terminals by name', async () => {
      const request = asked('stty size; until stty size | grep -q "40 120"; do sleep 0.01; done; stty size', {
        tty: true,
        columns: 91,
        rows: 33,
      });
      if (!options.terminals) return assert.rejects(run(request), { name: 'ExecRefusedError' });
      const { heard, session } = await run(request);
      await heard.until(() => heard.text[1].includes('33 91'));
      session.resize(120, 40);
      assert.deepEqual(await heard.ending, { exitCode: 0 });
      assert.match(heard.text[1], /40 120/);
      return undefined;
    });
  });
}
