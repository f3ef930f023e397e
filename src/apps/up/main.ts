import { up } from './up.ts';
import { readUpSettings, UsageError } from './settings.ts';

try {
  await up(readUpSettings(process.argv.slice(2)));
} catch (error) {
  const usage =
    error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(`tidemill up: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(usage ? 2 : 1);
}
