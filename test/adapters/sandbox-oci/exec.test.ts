import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { execSuite } from '../../../src/core/ports/exec.suite.ts';
import type { ExecEnd } from '../../../src/core/ports/exec.ts';
import type { SandboxHandle } from '../../../src/core/ports/sandbox.ts';
import { Heard, scripted } from '../../../src/core/ports/sandbox.suite.ts';
import { openRuntime, openWorld, whyNoContainers } from './oci-world.ts';

const why = await whyNoContainers();
const skip = why === undefined ? {} : { skip: why };

execSuite('OCI containers', { terminals: true, confined: true }, () => openWorld(), why);

const UP = "setInterval(() => {}, 1e6); console.log('up')";

/** Opens a session and collects what it writes. */
async function session(handle: SandboxHandle, script: string) {
  let text = '';
  const end = Promise.withResolvers<ExecEnd>();
  const lines = Promise.withResolvers<void>();
  const request = { command: ['sh', '-c', script], tty: false, stdin: false, columns: 80, rows: 24, env: {} };
  const opened = await handle.exec(request, {
    output: (_channel, bytes) => {
      text += Buffer.from(bytes).toString();
      lines.resolve();
      return true;
    },
    drained() {},
    ended: (how) => end.resolve(how),
  });
  return { opened, ended: end.promise, said: lines.promise, text: () => text };
}

test('a session is confined as the main process is: user, rights, filter, namespaces, groups', skip, async () => {
  const world = await openWorld();
  const handle = await world.runtime().create(scripted(UP));
  try {
    await new Heard(handle).until('up');
    const look = (pid: string): string =>
      `grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/${pid}/status; for n in cgroup ipc mnt net pid user uts; do readlink /proc/${pid}/ns/$n; done; cat /proc/${pid}/oom_score_adj; grep -v ":pids:" /proc/${pid}/cgroup`;
    const of = async (pid: string): Promise<readonly string[]> => {
      const { ended, text } = await session(handle, look(pid));
      assert.deepEqual(await ended, { exitCode: 0 }, text());
      return text().trim().split('\n');
    };
    const own = await of('self');
    assert.deepEqual(own, await of('1'));
    assert.ok(own.length > 20, own.join('\n'));
    assert.deepEqual(
      own.filter((line) => line.startsWith('Cap')).map((line) => Number(`0x${line.slice(8)}`)),
      [...[0, 0, 0, 0, 0]],
    );
  } finally {
    await handle.destroy();
    await world.close();
  }
});

test('whoever takes a sandbox over ends the sessions of the agent before, also while it is frozen', {
  ...skip,
  timeout: 30_000,
}, async () => {
  const world = await openWorld();
  const handle = await world.runtime().create(scripted(UP));
  await new Heard(handle).until('up');
  const { processes } = await handle.stats();
  const { ended, said } = await session(handle, 'env -i setsid sleep 1000000 & echo up; sleep 1000000');
  await said;
  assert.ok((await handle.stats()).processes > processes);
  await handle.freeze();
  await world.runtime().close({ keepNetwork: true });
  const next = await openRuntime(world.runDir);
  const [found] = await next.adopt();
  try {
    // What is dead counts until its parent has collected it.
    while ((await found?.stats())?.processes !== processes) await pause(5);
    await ended;
  } finally {
    await found?.destroy();
    await next.close({ keepNetwork: false });
    rmSync(world.runDir, { recursive: true, force: true });
  }
  assert.deepEqual(await world.leaks(), []);
});
