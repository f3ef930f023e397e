import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { ProcessRecords } from '../../../src/adapters/sandbox-process/record.ts';
import { mkfifo } from '../../../src/adapters/sandbox-process/unix.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { openRuntime } from './process-world.ts';

it('ends a process whose agent died before it could write down the process id', async (test) => {
  const runDir = await temporaryFolder(test);
  const records = new ProcessRecords(runDir);
  records.create({ id: 'half', listen: 'http', specialised: false, shown: [] });
  const fifo = join(records.folderOf('half'), 'out');
  mkfifo(fifo);
  const output = openSync(fifo, constants.O_RDWR);
  const child = spawn('sleep', ['60'], { stdio: ['ignore', output, output] });
  closeSync(output);
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  assert.deepEqual(await openRuntime(runDir).adopt(), []);
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  assert.deepEqual(records.ids(), []);
});
