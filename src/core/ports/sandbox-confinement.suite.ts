import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Heard, runToEnd, type SandboxWorld, scripted, withSandbox } from './sandbox.suite.ts';
import type { SandboxHandle, SandboxRuntime } from './sandbox.ts';

const PATIENCE_MS = 120_000;
const IDLE = 'console.log("up"); setInterval(() => {}, 1000);';

/** Runs `body` beside an idle sandbox, which must still be alive afterwards. */
async function besideANeighbour(runtime: SandboxRuntime, body: () => Promise<void>): Promise<void> {
  await withSandbox(runtime, scripted(IDLE), async (neighbour, heard) => {
    await heard.until('up');
    await body();
    assert.ok((await neighbour.stats()).processes >= 1, 'the neighbour lives');
  });
}

/** What a JavaScript expression evaluates to inside, as JSON; errors as their code. */
async function inside(runtime: SandboxRuntime, expression: string): Promise<unknown> {
  const script = `
    const fs = require('node:fs');
    const attempt = (action) => { try { return action() ?? 'done'; } catch (error) { return error.code ?? error.message; } };
    console.log(JSON.stringify(${expression}));
  `;
  const { output } = await runToEnd(runtime, scripted(script));
  return JSON.parse(output);
}

/**
 * What a tier promises that confines. `skip`: why this tier or host does not. `kernel`: whether functions call the host's
 * kernel or one of their sandbox's own, which shows devices and a /sys of its own making and has threads of its own.
 */
export function confinementSuite(
  name: string,
  open: () => Promise<SandboxWorld>,
  skip: string | undefined,
  kernel: 'host' | 'own' = 'host',
): void {
  const ownThreads = kernel === 'own' ? 192 : 0;
  describe(`Confinement: ${name}`, { timeout: PATIENCE_MS, skip: skip ?? false }, () => {
    let world: SandboxWorld;
    before(async () => {
      world = await open();
    });
    after(async () => {
      await world.close();
      assert.deepEqual(await world.leaks(), []);
    });

    it('has a read-only root and a /tmp to write to', async () => {
      const seen = await inside(
        world.runtime(),
        `['/x', '/usr/x', '/etc/x', '/code/x', '/opt/x', '/var/x', '/run/x', '/dev/x', '/tmp/x']
          .map((path) => [path, attempt(() => fs.writeFileSync(path, ''))])`,
      );
      const refusal = kernel === 'own' ? 'EACCES' : 'EROFS';
      const denied = ['/x', '/usr/x', '/etc/x', '/code/x', '/opt/x', '/var/x', '/run/x'].map((path) => [path, refusal]);
      assert.deepEqual(seen, [...denied, ['/dev/x', 'EACCES'], ['/tmp/x', 'done']]);
    });

    it('holds /tmp to its size', async () => {
      const script = `
        const fs = require('node:fs');
        const file = fs.openSync('/tmp/large', 'w');
        let mb = 0;
        try { for (; mb < 200; mb++) fs.writeSync(file, Buffer.alloc(1 << 20, 1)); fs.fsyncSync(file); }
        catch (error) { console.log(error.code, mb); }
      `;
      const { output } = await runToEnd(world.runtime(), scripted(script, { diskMb: 64 }));
      const [code, mb] = output.trim().split(' ');
      assert.equal(code, 'ENOSPC', output);
      assert.ok(Number(mb) > 48 && Number(mb) <= 64, `${mb} MB fitted`);
    });

    it('lets a function write more to /tmp than it has memory', async () => {
      const script = `
        const file = require('node:fs').openSync('/tmp/large', 'w');
        for (let mb = 0; mb < 300; mb++) require('node:fs').writeSync(file, Buffer.alloc(1 << 20, 1));
        console.log('written');
      `;
      const limits = { memoryMb: 128, cpu: 2, pids: 64 };
      const { output } = await runToEnd(world.runtime(), scripted(script, { diskMb: 512, limits }));
      assert.equal(output, 'written\n');
    });

    it('kills only the sandbox that allocates past its memory, and says so', async () => {
      await besideANeighbour(world.runtime(), async () => {
        const script = 'const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1));';
        const limits = { memoryMb: 128, cpu: 2, pids: 64 };
        const { exit } = await runToEnd(world.runtime(), scripted(script, { limits }));
        assert.deepEqual(exit, { reason: 'oom', exitCode: 137 });
      });
    });

    it('binds a memory limit set by specialise', async () => {
      const script = `setTimeout(() => { const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1)); }, 300);`;
      await withSandbox(world.runtime(), scripted(script), async (handle) => {
        const limits = { memoryMb: 128, cpu: 2, pids: 64 };
        await handle.specialise({ mounts: [], limits, internetAccess: false });
        assert.equal((await handle.exited).reason, 'oom');
        assert.ok((await handle.stats()).memoryPeakBytes <= 128 * 1024 * 1024);
      });
    });

    it('gives no more CPU time than asked for', async () => {
      const script = 'console.log("up"); setTimeout(() => { for (;;); }, 100);';
      const limits = { memoryMb: 256, cpu: 0.2, pids: 64 };
      await withSandbox(world.runtime(), scripted(script, { limits }), async (handle, heard) => {
        await heard.until('up');
        const share = await cpuShare(handle, 1_500);
        assert.ok(share > 0.02 && share < 0.3, `${share} of a CPU`);
      });
    });

    it('contains a fork bomb', async () => {
      await besideANeighbour(world.runtime(), async () => {
        const limits = { memoryMb: 256, cpu: 0.5, pids: 32 };
        const bomb = scripted('', {
          limits,
          process: { args: ['/bin/sh', '-c', 'echo up; f() { f | f & }; f; sleep 60'], env: {}, cwd: '/' },
        });
        await withSandbox(world.runtime(), bomb, async (handle, heard) => {
          await heard.until('up');
          // A kernel of its own has no count to refuse by: the host's limit holds the threads that serve it.
          if (kernel === 'host') await heard.until('annot fork');
          else await new Promise((resolve) => setTimeout(resolve, 3_000));
          assert.ok((await handle.stats()).processes <= 32 + ownThreads);
        });
      });
    });

    it('shows nothing of the host', async () => {
      const secret = await mkdtemp(join(tmpdir(), 'tidemill-secret-'));
      try {
        await writeFile(join(secret, 'credentials.json'), 'secret', { mode: 0o644 });
        const seen = await inside(
          world.runtime(),
          `{
            secret: attempt(() => fs.readFileSync(${JSON.stringify(join(secret, 'credentials.json'))})),
            shadow: attempt(() => fs.readFileSync('/etc/shadow')),
            users: fs.readFileSync('/etc/passwd', 'utf8').split('\\n').filter(Boolean).map((line) => line.split(':')[0]),
            root: fs.readdirSync('/root'),
            home: fs.readdirSync('/home'),
            run: fs.readdirSync('/run'),
            block: fs.readdirSync('/dev').filter((name) => /^(loop|vd|sd|nvme|kvm|mem|fuse)/.test(name)),
            sys: fs.readdirSync('/sys').filter((name) => attempt(() => fs.readdirSync('/sys/' + name)).length > 0),
            uevent: fs.existsSync('/sys/kernel/uevent_helper'),
            processes: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length,
          }`,
        );
        const { processes, ...rest } = seen as { processes: number };
        assert.deepEqual(rest, {
          secret: 'ENOENT',
          shadow: 'ENOENT',
          users: ['root', 'function', 'nobody'],
          root: [],
          home: [],
          run: ['instance', 'lock'],
          block: kernel === 'own' ? ['fuse'] : [],
          sys: kernel === 'own' ? ['class', 'devices', 'fs'] : [],
          uevent: false,
        });
        assert.ok(processes <= 2, `${processes} processes visible`);
        assert.ok(readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).length > 2);
      } finally {
        await rm(secret, { recursive: true, force: true });
      }
    });

    it('has no capabilities, no way to new privileges and a system call filter', async () => {
      const status = await inside(
        world.runtime(),
        `Object.fromEntries(fs.readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(':\\t')))`,
      );
      const { CapInh, CapPrm, CapEff, CapBnd, CapAmb, NoNewPrivs, Seccomp } = status as Record<string, string>;
      // gVisor's /proc does not show these two.
      for (const set of [CapInh, CapPrm, CapEff, CapBnd, ...(kernel === 'own' ? [] : [CapAmb])]) {
        assert.equal(set, '0000000000000000');
      }
      // Its calls go to a kernel of its own, and that one is filtered: see `gvisor.test.ts`.
      assert.deepEqual([NoNewPrivs, Seccomp], kernel === 'own' ? [undefined, '0'] : ['1', '2']);
      const child = `require('node:child_process').spawnSync`;
      const tried = await inside(
        world.runtime(),
        `[['unshare', '--user', 'true'], ['unshare', '--mount', 'true'], ['mount', '-t', 'tmpfs', 'x', '/tmp'], ['nsenter', '-t', '1', '-n', 'true']]
          .map(([file, ...args]) => ${child}(file, args).status === 0)`,
      );
      // A user namespace of a kernel of its own is none of the host's.
      assert.deepEqual(tried, [kernel === 'own', false, false, false]);
    });

    it('collects orphans, so that they do not use up the process limit', async () => {
      const script = `
        const { execFileSync } = require('node:child_process');
        for (let i = 0; i < 100; i++) execFileSync('/bin/sh', ['-c', 'true & exit 0']);
        console.log('up');
        setInterval(() => {}, 1000);
      `;
      await withSandbox(world.runtime(), scripted(script), async (handle, heard: Heard) => {
        await heard.until('up');
        assert.ok((await handle.stats()).processes < 32 + ownThreads);
      });
    });
  });
}

/** CPU seconds used per second. */
async function cpuShare(handle: SandboxHandle, ms: number): Promise<number> {
  const used = (await handle.stats()).cpuMicros;
  const begin = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ((await handle.stats()).cpuMicros - used) / 1_000 / (performance.now() - begin);
}
