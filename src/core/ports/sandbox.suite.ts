import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import type { SandboxExit, SandboxHandle, SandboxRuntime, SandboxSpec } from './sandbox.ts';

/** One installation to test, with nothing else in it. */
export interface SandboxWorld {
  /** The runtime of the agent that lives now. */
  runtime(): SandboxRuntime;
  /** Starts an agent in a process of its own, lets it create these sandboxes, and kills it with SIGKILL. */
  killedAgent(specs: readonly SandboxSpec[]): Promise<void>;
  /** What exists on this machine because of this installation and should not, after every sandbox was destroyed. */
  leaks(): Promise<readonly string[]>;
  /** Releases everything, leaving nothing on the host. */
  close(): Promise<void>;
}

const PATIENCE_MS = 60_000;
let count = 0;

/** A sandbox that runs a JavaScript program with this very Node. */
export function scripted(script: string, changes: Partial<SandboxSpec> = {}): SandboxSpec {
  count += 1;
  return {
    id: `s-${process.pid}-${count}`,
    process: { args: ['/runtime/bin/node', '-e', script], env: {}, cwd: '/' },
    boot: [{ source: dirname(process.execPath), target: '/runtime/bin' }],
    limits: { memoryMb: 256, cpu: 2, pids: 64 },
    diskMb: 32,
    listen: 'frames',
    internetAccess: false,
    mounts: [],
    ...changes,
  };
}

/** Collects output as text. */
export class Heard {
  text = '';
  private readonly waiting = new Set<() => void>();

  constructor(handle: SandboxHandle) {
    const decoder = new TextDecoder();
    handle.onOutput((chunk) => {
      this.text += decoder.decode(chunk, { stream: true });
      for (const look of this.waiting) look();
    });
  }

  /** Resolves once the output contains `text`. */
  until(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`"${text}" never came, only: ${this.text}`)), PATIENCE_MS / 2);
      const look = (): void => {
        if (!this.text.includes(text)) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
      look();
    });
  }
}

/** Runs a sandbox to its end and removes it. */
export async function runToEnd(
  runtime: SandboxRuntime,
  spec: SandboxSpec,
): Promise<{ readonly exit: SandboxExit; readonly output: string }> {
  const handle = await runtime.create(spec);
  try {
    const heard = new Heard(handle);
    const exit = await handle.exited;
    return { exit, output: heard.text };
  } finally {
    await handle.destroy();
  }
}

/** Creates a sandbox for the length of `body`. */
export async function withSandbox<T>(
  runtime: SandboxRuntime,
  spec: SandboxSpec,
  body: (handle: SandboxHandle, heard: Heard) => Promise<T>,
): Promise<T> {
  const handle = await runtime.create(spec);
  try {
    return await body(handle, new Heard(handle));
  } finally {
    await handle.destroy();
  }
}

function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

const IDLE = 'console.log("up"); setInterval(() => {}, 1000);';

/** Waits for a line of input on its socket, then evaluates it: lets a test act inside at a moment of its choosing. */
const OBEDIENT = `
  require('node:net').createServer((socket) => {
    socket.on('data', (code) => { try { socket.end(String(eval(String(code)))); } catch (e) { socket.end('failed ' + e.code); } });
  }).listen({ fd: 3 }, () => console.log('up'));
`;

function tell(path: string | undefined, code: string): Promise<string> {
  assert.ok(path !== undefined);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(code));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

/** What every SandboxRuntime promises about life and death of sandboxes. `skip`: why this host cannot run it. */
export function sandboxSuite(name: string, open: () => Promise<SandboxWorld>, skip: string | undefined): void {
  describe(`SandboxRuntime: ${name}`, { timeout: PATIENCE_MS * 2, skip: skip ?? false }, () => {
    let world: SandboxWorld;
    let folder: string;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemill-code-'));
      await chmod(folder, 0o755);
      await writeFile(join(folder, 'index.js'), 'module.exports = "the code";');
      world = await open();
    });
    after(async () => {
      await rm(folder, { recursive: true, force: true });
      await world.close();
      assert.deepEqual(await world.leaks(), []);
    });

    it('gives the process exactly its own environment', async () => {
      process.env['TIDEMILL_SUITE_SECRET'] = 'of the host';
      const env = { A: '1', EMPTY: '', UNICODE: 'ü = ü', PWD: '/elsewhere', HOME: '/tmp/home' };
      const spec = scripted('console.log(JSON.stringify(process.env))');
      const { output } = await runToEnd(world.runtime(), { ...spec, process: { ...spec.process, env } });
      const { PATH, ...seen } = JSON.parse(output) as Record<string, string>;
      assert.deepEqual(seen, env);
      assert.ok(PATH?.includes('/usr/bin'));
      const bare = await runToEnd(world.runtime(), scripted('console.log(Object.keys(process.env).sort().join())'));
      assert.equal(bare.output, 'HOME,PATH\n');
    });

    it('tells how the process ended, after its last output', async () => {
      const { exit, output } = await runToEnd(world.runtime(), scripted('console.log("bye"); process.exitCode = 7;'));
      assert.deepEqual([exit, output], [{ reason: 'crash', exitCode: 7 }, 'bye\n']);
    });

    it('tells of processes that end at once, and of commands that do not exist', async () => {
      const runs = ['/bin/true', '/bin/false', '/no/such/command'].flatMap((command) =>
        Array.from({ length: 4 }, async () => {
          const spec = scripted('', { process: { args: [command], env: {}, cwd: '/' } });
          return (await runToEnd(world.runtime(), spec)).exit.exitCode;
        }),
      );
      assert.deepEqual(await Promise.all(runs), [0, 0, 0, 0, 1, 1, 1, 1, 127, 127, 127, 127]);
    });

    it('delivers much output whole and in order', async () => {
      const script =
        'for (let i = 0; i < 20000; i++) require("node:fs").writeSync(1, String(i).padStart(99, "0") + "\\n")';
      const { output } = await runToEnd(world.runtime(), scripted(script));
      const lines = output.trimEnd().split('\n').map(Number);
      assert.deepEqual(
        lines,
        Array.from({ length: 20_000 }, (_, index) => index),
      );
    });

    it('passes a listening socket as descriptor 3', async () => {
      const script =
        'require("node:net").createServer((s) => s.end("hello")).listen({ fd: 3 }, () => console.log("up"))';
      await withSandbox(world.runtime(), scripted(script), async (handle, heard) => {
        await heard.until('up');
        assert.ok(handle.socketPath !== undefined);
        assert.equal(await ask(handle.socketPath), 'hello');
      });
    });

    it('kills with the reason given', async () => {
      await withSandbox(world.runtime(), scripted(IDLE), async (handle, heard) => {
        await heard.until('up');
        const begin = performance.now();
        await handle.kill('timeout');
        assert.equal((await handle.exited).reason, 'timeout');
        assert.ok(performance.now() - begin < 500);
      });
    });

    it('shows code and layers by specialise, once', async () => {
      await withSandbox(world.runtime(), scripted(OBEDIENT), async (handle, heard) => {
        await heard.until('up');
        const specialise = (): Promise<void> =>
          handle.specialise({
            mounts: [
              { source: folder, target: '/code' },
              { source: folder, target: '/opt' },
            ],
            limits: { memoryMb: 192, cpu: 1, pids: 32 },
            internetAccess: false,
          });
        await specialise();
        for (const target of ['/code', '/opt']) {
          const path = handle.pathOf?.(target) ?? target;
          assert.equal(await tell(handle.socketPath, `require(${JSON.stringify(path)})`), 'the code');
        }
        await assert.rejects(specialise());
      });
    });

    it('shows mounts known at creation', async () => {
      const spec = scripted(OBEDIENT, { mounts: [{ source: folder, target: '/code' }] });
      await withSandbox(world.runtime(), spec, async (handle, heard) => {
        await heard.until('up');
        const path = handle.pathOf?.('/code') ?? '/code';
        assert.equal(await tell(handle.socketPath, `require(${JSON.stringify(path)})`), 'the code');
      });
    });

    it('reports what a sandbox uses', async () => {
      await withSandbox(world.runtime(), scripted(OBEDIENT), async (handle, heard) => {
        await heard.until('up');
        const idle = await handle.stats();
        await tell(handle.socketPath, 'globalThis.kept = Buffer.alloc(50e6, 1); kept.length');
        const busy = await handle.stats();
        assert.ok(busy.memoryBytes - idle.memoryBytes > 40e6, `${idle.memoryBytes} to ${busy.memoryBytes}`);
        assert.ok(busy.memoryPeakBytes >= busy.memoryBytes);
        assert.ok(busy.cpuMicros > idle.cpuMicros);
        assert.ok(busy.processes >= 1);
      });
    });

    it('freezes: no CPU is used, work goes on where it stood, and a frozen sandbox ends like any other', async () => {
      const ticking =
        'let n = 0; setInterval(() => { const end = performance.now() + 4; while (performance.now() < end); console.log("tick " + ++n); }, 5)';
      await withSandbox(world.runtime(), scripted(ticking), async (handle, heard) => {
        await heard.until('tick 3\n');
        await handle.freeze();
        await handle.freeze();
        await pause(50);
        const [before, text] = [await handle.stats(), heard.text];
        await pause(300);
        assert.equal((await handle.stats()).cpuMicros, before.cpuMicros);
        assert.equal(heard.text, text);
        await handle.thaw();
        await handle.thaw();
        const seen = Number(/tick (\d+)\n$/.exec(text)?.[1]);
        await heard.until(`tick ${seen + 3}\n`);
        await handle.freeze();
        const begin = performance.now();
        await handle.kill('timeout');
        assert.deepEqual((await handle.exited).reason, 'timeout');
        assert.ok(performance.now() - begin < 1_000);
        await handle.thaw();
      });
      const other = await world.runtime().create(scripted(ticking));
      await new Heard(other).until('tick 1\n');
      await other.freeze();
      await other.reclaim();
      await other.destroy();
      assert.deepEqual(await world.runtime().adopt(), []);
    });

    it('refuses an id in use and a missing folder, and leaves nothing of either', async () => {
      const first = scripted(OBEDIENT);
      await withSandbox(world.runtime(), first, async (handle, heard) => {
        await heard.until('up');
        await assert.rejects(world.runtime().create(first));
        assert.equal(await tell(handle.socketPath, '1 + 1'), '2');
      });
      await assert.rejects(
        world.runtime().create(scripted(IDLE, { mounts: [{ source: '/no/such', target: '/code' }] })),
      );
      await assert.rejects(
        world.runtime().create(scripted(IDLE, { boot: [{ source: '/no/such', target: '/runtime' }] })),
      );
      assert.deepEqual(await world.runtime().adopt(), []);
    });

    it('destroys completely, however often and whoever asks at once', async () => {
      const handle = await world.runtime().create(scripted(IDLE));
      await Promise.all([handle.destroy(), handle.destroy()]);
      await handle.destroy();
      assert.equal((await handle.exited).reason, 'stopped');
      assert.deepEqual(await world.runtime().adopt(), []);
    });

    it('creates 20 at the same time', async () => {
      const handles = await Promise.all(Array.from({ length: 20 }, () => world.runtime().create(scripted(OBEDIENT))));
      try {
        const answers = await Promise.all(
          handles.map(async (handle, index) => {
            await new Heard(handle).until('up');
            return tell(handle.socketPath, `${index} + 1`);
          }),
        );
        assert.deepEqual(
          answers,
          Array.from({ length: 20 }, (_, index) => String(index + 1)),
        );
      } finally {
        await Promise.all(handles.map((handle) => handle.destroy()));
      }
    });

    it('finds what a killed agent left: adopts the living, removes the dead', async () => {
      const ticking = scripted(
        'let n = 0; setInterval(() => console.log("tick " + n++), 20); require("node:net").createServer((s) => s.end("alive")).listen({ fd: 3 })',
      );
      const dying = scripted('setTimeout(() => {}, 50)');
      await world.killedAgent([ticking, dying]);
      const found = await world.runtime().adopt();
      const handle = found.find((candidate) => candidate.id === ticking.id);
      assert.ok(handle !== undefined);
      for (const other of found) if (other !== handle) await other.exited;
      const heard = new Heard(handle);
      await heard.until('tick 100');
      const ticks = [...heard.text.matchAll(/tick (\d+)\n/g)].map((match) => Number(match[1]));
      const first = ticks[0] ?? 0;
      assert.deepEqual(
        ticks,
        ticks.map((_, index) => first + index),
        'nothing was lost in between',
      );
      assert.ok(handle.socketPath !== undefined);
      assert.equal(await ask(handle.socketPath), 'alive');
      assert.ok((await handle.stats()).memoryBytes > 0);
      const begin = performance.now();
      await handle.kill('killed');
      assert.equal((await handle.exited).reason, 'killed');
      assert.ok(performance.now() - begin < 500);
      for (const each of found) await each.destroy();
      assert.deepEqual(await world.runtime().adopt(), []);
    });
  });
}
