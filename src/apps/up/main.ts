import { up } from './up.ts';
import { readUpSettings, UsageError } from './settings.ts';

try {
  await up(readUpSettings(process.argv.slice(2)));
} catch (error) {
  const usage =
    error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
  const message = error instanceof Error ? error.message : String(error);
  // Settings that could not be read do not say whether a program is listening.
  if (process.argv.includes('--json')) {
    const about = usage ? { code: 'Usage', culprit: 'caller' } : { code: 'StartFailed', culprit: 'platform' };
    console.log(JSON.stringify({ error: { ...about, message } }));
  } else {
    console.error(`tidemill up: ${message}`);
  }
  process.exit(usage ? 2 : 1);
}
