import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { test } from 'node:test';
import { detachInBackground, openPidfd, pidfdAlive } from '../../../src/adapters/sandbox-oci/syscalls.ts';

test('a living process is not taken for dead because a signal interrupted the look', { timeout: 20_000 }, async (t) => {
  const living = spawn('sleep', ['60']);
  const pidfd = openPidfd(living.pid ?? 0);
  assert.ok(pidfd !== undefined);
  const onSignal = (): void => undefined;
  process.on('SIGCHLD', onSignal);
  const nagging = spawn('sh', [
    '-c',
    `echo on; i=0; while [ $i -lt 50000 ] && kill -CHLD ${process.pid}; do i=$((i+1)); done`,
  ]);
  t.after(() => {
    process.off('SIGCHLD', onSignal);
    nagging.kill('SIGKILL');
    living.kill('SIGKILL');
    closeSync(pidfd);
  });
  await once(nagging.stdout, 'data');
  const end = performance.now() + 500;
  let dead = 0;
  while (performance.now() < end) if (!pidfdAlive(pidfd)) dead++;
  assert.equal(dead, 0);
  living.kill('SIGKILL');
  await once(living, 'exit');
  assert.equal(pidfdAlive(pidfd), false);
});

test('any number of unmounts at once end, those of nothing too', async () => {
  const paths = Array.from({ length: 500 }, (_, number) => `/nonexistent/${number}`);
  await Promise.all(paths.map((path) => detachInBackground(path)));
});
