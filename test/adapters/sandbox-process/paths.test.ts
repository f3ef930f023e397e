import assert from 'node:assert/strict';
import { it } from 'node:test';
import { realArgument, realPath } from '../../../src/adapters/sandbox-process/paths.ts';

const shown = [
  { source: '/data/code/abc', target: '/code' },
  { source: '/srv/runtime', target: '/runtime' },
];

it('finds the real place of what cannot be mounted', () => {
  assert.equal(realPath('/code', shown), '/data/code/abc');
  assert.equal(realPath('/code/a/b.js', shown), '/data/code/abc/a/b.js');
  assert.equal(realPath('/codex/a', shown), '/codex/a');
  assert.equal(realPath('/other', shown), '/other');
});

it('rewrites arguments, also behind an option', () => {
  assert.equal(realArgument('/runtime/bin/node', shown), '/srv/runtime/bin/node');
  assert.equal(realArgument('--require=/code/a.js', shown), '--require=/data/code/abc/a.js');
  assert.equal(realArgument('text with /code/a.js inside', shown), 'text with /code/a.js inside');
});
