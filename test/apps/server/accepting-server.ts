import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openInstallation } from '../../../src/adapters/installation-file/index.ts';
import { openListenSocket } from '../../../src/adapters/listen-socket/index.ts';
import { createStreamLogger } from '../../../src/adapters/logger-stream/index.ts';
import { startServer } from '../../../src/apps/server/server.ts';
import { readSettings } from '../../../src/apps/server/settings.ts';
import type { EventQueue } from '../../../src/core/ports/event-queue.ts';

/**
 * The server as it is composed, beside an agent that keeps nothing ready: it accepts events, nothing runs them. argv: the data
 * folder, and `logged` or `in-memory`. In memory is the same server whose queue forgets to write: what is accepted there is
 * known by id and gone with the process. `npm run bench -- durable-accept-door` measures both. Says the port and the keys on
 * its first line, ends with its standard input.
 */
const [data = '', kind = ''] = process.argv.slice(2);

/** Accepts into a map; everything else is the real queue's, which stays empty. */
function inMemory(queue: EventQueue): EventQueue {
  const accepted = new Map<string, unknown>();
  const enqueue: EventQueue['enqueue'] = async (events) =>
    events.map((event) => {
      if (accepted.has(event.id)) return 'duplicate';
      accepted.set(event.id, event);
      return 'accepted';
    });
  return Object.assign(Object.create(queue) as EventQueue, { enqueue });
}

const { accessKeyId, accessKeySecret } = openInstallation(data, 'local');
const [api, objects] = [await openListenSocket('127.0.0.1', 0), await openListenSocket('127.0.0.1', 0)];
const descriptors = ['--api-fd', String(api.descriptor), '--objects-fd', String(objects.descriptor)];
const folders = [
  '--master-key',
  join(data, 'master.key'),
  '--data',
  data,
  '--run-dir',
  data,
  '--package-root',
  join(import.meta.dirname, '../../..'),
];
const agentMain = join(import.meta.dirname, '../../../src/apps/agent/main.ts');
const ports = ['--api-port', String(api.port), '--objects-port', String(objects.port), '--host', '127.0.0.1'];
const agent = spawn(process.execPath, [agentMain, ...folders, ...ports, '--isolation', 'process'], {
  env: { ...process.env, TIDEMILL_TUNING: JSON.stringify({ agent: { poolDepth: 0, bareDepth: 0 } }) },
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
});
const server = await startServer(
  readSettings(
    [...folders, ...descriptors, '--host', '127.0.0.1', '--master-key', join(data, 'master.key')],
    undefined,
  ),
  {
    clock: systemClock,
    logger: createStreamLogger({ process: 'server', least: 'error', write: (line) => process.stderr.write(line) }),
    ...(kind === 'in-memory' ? { throughQueue: inMemory } : {}),
  },
);
console.log(JSON.stringify({ port: server.apiPort, accessKeyId, accessKeySecret }));
process.stdin.resume().once('end', () => {
  agent.once('exit', () => void server.close().then(() => process.exit(0)));
  agent.kill('SIGTERM');
});
