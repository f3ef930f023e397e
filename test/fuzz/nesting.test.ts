import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal } from './target.ts';
import { TARGETS } from './targets.ts';

const LEVELS = 100_000;
const nested = (open: string, core: string, close: string): Buffer =>
  Buffer.from(open.repeat(LEVELS) + core + close.repeat(LEVELS));

/** Documents a hundred thousand levels deep, for each parser of documents. */
const DEEP: Readonly<Record<string, readonly Buffer[]>> = {
  'json-body': [nested('[', '', ']'), nested('{"a":', '1', '}'), nested('[', '', '')],
  'trigger-config': [nested('{"a":', '1', '}'), nested('[', '', ']')],
  policy: [nested('{"Statement":', '1', '}'), nested('[', '', ']')],
  'event-pattern': [nested('{"a":', '[1]', '}'), nested('[', '', ']')],
  xml: [nested('<Delete>', '', '</Delete>'), nested('<Delete>', '', '')],
};

for (const [name, documents] of Object.entries(DEEP)) {
  test(`${name}: nesting of ${LEVELS} levels neither ends the stack nor takes long`, async () => {
    const target = TARGETS.find((each) => each.name === name);
    assert.ok(target !== undefined);
    for (const bytes of documents) {
      const before = process.cpuUsage();
      try {
        await target.run(bytes);
      } catch (error) {
        assert.ok(isRefusal(target, error), String(error));
      }
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 2_000_000, `${name}: ${(user + system) / 1000} ms`);
    }
  });
}
