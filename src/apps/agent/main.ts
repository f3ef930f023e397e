import { availableParallelism } from 'node:os';
import { systemClock } from '../../adapters/clock-system/index.ts';
import { createStreamLogger, logLevelOf } from '../../adapters/logger-stream/index.ts';
import { type AgentProcess, startAgent } from './agent.ts';
import { readAgentSettings } from './settings.ts';

const logger = createStreamLogger({
  process: 'agent',
  least: logLevelOf(process.env.TIDEMILL_LOG),
  write: (line) => process.stderr.write(line),
});

let agent: AgentProcess | undefined;
let ending = false;

/** Ends in order, once; told again, at once. */
async function end(reason: string, how: 'drain' | 'leave'): Promise<void> {
  if (ending) process.exit(1);
  ending = true;
  logger.log('info', 'ending', { reason, how });
  try {
    await agent?.[how]();
  } catch (error) {
    logger.log('error', 'could not end in order', { error: String(error) });
    process.exit(1);
  }
  process.exit(0);
}

process.on('SIGTERM', () => void end('SIGTERM', 'drain'));
process.on('SIGHUP', () => void end('SIGHUP', 'leave'));
process.on('SIGINT', () => undefined); // a terminal sends it to the whole group; the supervisor decides
// Instances outlive a supervisor that was killed, as they outlive us: the next agent takes them over.
process.on('disconnect', () => void end('the supervisor is gone', 'leave'));
process.on('uncaughtException', (error) => {
  logger.log('error', 'a bug ends this process', { error: error.stack ?? String(error) });
  process.exit(1);
});

try {
  const settings = readAgentSettings(process.argv.slice(2), process.env.TIDEMILL_TUNING, availableParallelism());
  agent = await startAgent(settings, { clock: systemClock, logger });
  process.send?.({ type: 'ready' });
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.log('error', 'the agent cannot serve', { error: message });
  process.exit(1);
}
