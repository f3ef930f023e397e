import { NODE_COMMANDS } from '../started-runtime.ts';
import { runtimeSuite } from '../runtime.suite.ts';

const code = `
const fs = require('node:fs');
exports.handler = async (event) => {
  const space = event.indexOf(32);
  const word = event.subarray(0, space).toString();
  const rest = event.subarray(space + 1);
  if (word === 'echo') return rest;
  if (word === 'big') return Buffer.alloc(Number(rest), 'x');
  if (word === 'print') { console.log('%s', rest); return 'done'; }
  if (word === 'wait') {
    console.log('waiting');
    while (!fs.existsSync(String(rest))) await new Promise((resolve) => setTimeout(resolve, 2));
    console.log('waited');
    return rest;
  }
  if (word === 'child') {
    require('node:child_process').spawnSync('sh', ['-c', 'echo "$0"; echo "$0" >&2', String(rest)], { stdio: 'inherit' });
    return 'done';
  }
  if (word === 'exit') { console.log(String(rest)); process.exit(7); }
  if (word === 'spin') { console.log(String(rest)); for (;;); }
};`;

for (const [name, command] of Object.entries(NODE_COMMANDS)) {
  runtimeSuite({ name, runtimeId: 'nodejs22', command, files: { 'index.js': code } });
}

const [, pooled] = Object.entries(NODE_COMMANDS)[0] ?? [];
if (pooled !== undefined) {
  const command = ['/usr/bin/env', 'TIDEMILL_POOLED=1', ...pooled];
  runtimeSuite({ name: 'platform node, from the pool', runtimeId: 'nodejs22', command, files: { 'index.js': code } });
}
