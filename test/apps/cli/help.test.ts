import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from '../../../src/apps/cli/program.ts';
import { readUpSettings } from '../../../src/apps/up/settings.ts';
import { command } from './command.ts';

const reference = readFileSync(join(import.meta.dirname, '../../../docs/reference/cli.md'), 'utf8');

function* leaves(parent: Command, path: string): Generator<readonly [string, Command]> {
  for (const each of parent.commands) {
    const name = `${path} ${each.name()}`;
    if (each.commands.length === 0) yield [name, each];
    else yield* leaves(each, name);
  }
}

const commands = [
  ...leaves(
    buildProgram(() => Promise.resolve()),
    'tidemill',
  ),
];

test('the reference has every command with every option, and no other', () => {
  for (const [name, each] of commands) {
    const section = reference
      .split(/^### /m)
      .find((text) => text.startsWith(`\`${name}`) && !/[a-z]/.test(text[name.length + 1] ?? ''));
    assert.ok(section !== undefined, `${name} is missing`);
    for (const option of each.options)
      assert.ok(section.includes(`\`${option.flags}\``), `${name}: ${option.flags} is missing`);
  }
  assert.equal(reference.match(/^### `tidemill /gm)?.length, commands.length);
});

test('every group of commands and every top-level command shows examples', async () => {
  for (const each of buildProgram(() => Promise.resolve()).commands) {
    const { code, stdout } = await command([each.name(), '--help'], {});
    assert.equal(code, 0);
    assert.match(stdout, /Examples:\n {2}tidemill /, each.name());
  }
});

test('the options that help shows for `up` are those that `up` takes, with the same defaults', () => {
  const up = commands.find(([name]) => name === 'tidemill up')?.[1];
  assert.ok(up !== undefined);
  const defaults = readUpSettings([]);
  for (const option of up.options) {
    const value = { '--isolation': 'process', '--region': 'r' }[option.long ?? ''] ?? '0';
    const partner = { '--tls-cert': ['--tls-key', '0'], '--tls-key': ['--tls-cert', '0'] }[option.long ?? ''] ?? [];
    assert.doesNotThrow(() => readUpSettings([option.long ?? '', value, ...partner]));
    if (option.defaultValue === undefined) continue;
    const name = option.attributeName() as keyof typeof defaults;
    assert.equal(`${defaults[name] as string | number}`, String(option.defaultValue), option.long);
  }
});

test('version and unknown commands', async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
    version: string;
  };
  assert.equal((await command(['version'], {})).stdout, `${version}\n`);
  assert.equal((await command(['--version'], {})).stdout, `${version}\n`);
  const wrong = await command(['deplyo'], {});
  assert.deepEqual([wrong.code, /Did you mean deploy/.test(wrong.stderr)], [2, true]);
});

test('`up` is handed over with its own usage errors', async () => {
  const { code, stderr } = await command(['up', '--port', 'x'], {});
  assert.deepEqual([code, /tidemill up: --port x/.test(stderr)], [2, true]);
});
