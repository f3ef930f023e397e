import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invokeText, loadedRuntime, PYTHON_COMMAND } from '../started-runtime.ts';

const POOLED = ['/usr/bin/env', 'TIDEMILL_POOLED=1', ...PYTHON_COMMAND];

async function answerOf(command: readonly string[], files: Readonly<Record<string, string>>): Promise<unknown> {
  await using started = await loadedRuntime(command, files, { runtime: 'python3.10' });
  assert.equal(started.loaded.error, undefined);
  assert.equal(started.runtime.rawOutput, '', 'nothing is written before a function is there');
  return JSON.parse((await invokeText(started.link)).text);
}

test('a runtime that waits imports ahead what many functions import', async () => {
  const code = "import sys\nahead = 'urllib.request' in sys.modules\ndef handler(event, context):\n  return ahead\n";
  assert.equal(await answerOf(POOLED, { 'index.py': code }), true);
  assert.equal(await answerOf(PYTHON_COMMAND, { 'index.py': code }), false);
});

test('a function with a module of the same name gets its own, and cannot tell that its runtime waited', async () => {
  const files = {
    'index.py': `import os, zipfile
import http.mine
def handler(event, context):
    return [zipfile.OWN, http.mine.OWN, 'TIDEMILL_POOLED' in os.environ]
`,
    'zipfile.py': "OWN = 'zipfile'\n",
    'http/__init__.py': '',
    'http/mine.py': "OWN = 'http'\n",
  };
  for (const command of [POOLED, PYTHON_COMMAND]) {
    assert.deepEqual(await answerOf(command, files), ['zipfile', 'http', false]);
  }
});
