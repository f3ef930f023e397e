import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Version of the installed package. */
export function packageVersion(packageRoot: string): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}
