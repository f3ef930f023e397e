import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invokeText, loadedRuntime, NODE_COMMANDS } from '../started-runtime.ts';

const LOOK = `
exports.handler = async () => ({
  env: process.env,
  folder: process.cwd(),
  loaded: Object.keys(require.cache).filter((name) => name.includes('/warm/')),
});`;

async function seenBy(
  command: readonly string[],
): Promise<{ readonly env: object; readonly loaded: readonly string[] }> {
  await using loaded = await loadedRuntime(command, { 'index.js': LOOK });
  assert.equal(loaded.runtime.rawOutput, '', 'nothing is written before a function is there');
  const { text } = await invokeText(loaded.link);
  const seen = JSON.parse(text) as { env: Record<string, string>; folder: string; loaded: string[] };
  assert.equal(seen.folder, loaded.runtime.codePath);
  // These name the code folder, which is another one for each.
  const { PATH: _path, LD_LIBRARY_PATH: _libraries, NODE_PATH: _modules, ...env } = seen.env;
  return { env, loaded: seen.loaded };
}

for (const [name, command] of Object.entries(NODE_COMMANDS)) {
  test(`${name}: a function cannot tell that its runtime was warmed up`, async () => {
    const warmed = await seenBy(['/usr/bin/env', 'TIDEMILL_POOLED=1', ...command]);
    assert.deepEqual(warmed, { env: (await seenBy(command)).env, loaded: [] });
  });
}
