import { join } from 'node:path';
import { systemClock } from '../../adapters/clock-system/index.ts';
import { createStreamLogger, logLevelOf } from '../../adapters/logger-stream/index.ts';
import { lockFolder } from '../../adapters/process-lock/index.ts';
import { readSettings } from './settings.ts';
import { type ServerProcess, startServer } from './server.ts';

/** How long running calls may take to finish when the server is told to end. */
const DRAIN_MS = 30_000;

/** One that was killed is gone at once; only the kernel still has to notice. */
const PREDECESSOR_PATIENCE_MS = 5_000;

const settings = readSettings(process.argv.slice(2), process.env.TIDEMILL_TUNING);
const logger = createStreamLogger({
  process: 'server',
  least: logLevelOf(process.env.TIDEMILL_LOG),
  write: (line) => process.stderr.write(line),
});

let server: ServerProcess | undefined;
let ending = false;

/** Finishes what runs and says so; the end comes as a signal, once the instances have ended. */
async function finish(): Promise<void> {
  logger.log('info', 'finishing');
  try {
    await server?.finish(DRAIN_MS);
  } catch (error) {
    logger.log('error', 'could not finish in order', { error: String(error) });
  }
  process.send?.({ type: 'finished' });
}

/** Finishes what runs, then ends. The second time it ends at once. */
async function end(reason: string, code: number): Promise<void> {
  if (ending) process.exit(1);
  ending = true;
  logger.log('info', 'ending', { reason });
  try {
    await server?.finish(DRAIN_MS);
    await server?.close();
  } catch (error) {
    logger.log('error', 'could not end in order', { error: String(error) });
  }
  process.exit(code);
}

process.on('message', (message) => {
  if (typeof message === 'object' && message !== null && 'type' in message && message.type === 'finish') void finish();
});
process.on('SIGTERM', () => void end('SIGTERM', 0));
process.on('SIGINT', () => undefined); // a terminal sends it to the whole group; the supervisor decides
process.on('disconnect', () => void end('the supervisor is gone', 0));
process.on('uncaughtException', (error) => {
  logger.log('error', 'a bug ends this process', { error: error.stack ?? String(error) });
  process.exit(1);
});

try {
  const lock = await lockFolder('server', settings.data, systemClock, PREDECESSOR_PATIENCE_MS);
  if (lock === undefined) throw new Error(`another server serves ${settings.data}`);
  server = await startServer(settings, { clock: systemClock, logger });
  process.send?.({ type: 'ready', apiPort: server.apiPort, objectsPort: server.objectsPort });
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.log('error', `cannot serve ${join(settings.data)}`, { error: message });
  process.exit(1);
}
