import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { FieldReader } from '../../../src/services/control/fields.ts';
import { type ConfigPatch, readFunctionInput } from '../../../src/services/control/function-input.ts';
import { checkConfig, createConfig, defaultCpu, mergeConfig } from '../../../src/services/control/function-rules.ts';
import { RUNTIMES } from './memory-world.ts';

const base = createConfig({ runtime: 'custom.debian12', handler: 'h' });

function patchOf(input: Readonly<Record<string, unknown>>): ConfigPatch {
  return readFunctionInput(new FieldReader(input)).patch;
}

/** Requests over fields whose result does not depend on other fields. */
const request = fc.record(
  {
    description: fc.string({ maxLength: 20 }),
    timeout: fc.integer({ min: 1, max: LIMITS.timeoutMaxSeconds }),
    instanceConcurrency: fc.integer({ min: 1, max: 200 }),
    environmentVariables: fc.dictionary(fc.stringMatching(/^[A-EG-Z][a-z]{0,4}$/), fc.string({ maxLength: 5 })),
    internetAccess: fc.boolean(),
    diskSize: fc.constantFrom(512, 10_240),
    idleTimeout: fc.constantFrom(-1, 0, 60, 3_600),
    logConfig: fc.constantFrom({}, { project: '', logstore: '' }, { project: 'p', logstore: 'l' }),
    customDNS: fc.constantFrom({}, { nameServers: ['1.2.3.4'] }),
    instanceLifecycleConfig: fc.constantFrom(
      {},
      { initializer: { handler: '' } },
      { initializer: { handler: 'i', timeout: 9 } },
      { preStop: { handler: 'p' } },
    ),
  },
  { requiredKeys: [] },
);

describe('merging configurations', () => {
  it('keeps what a request does not name', () => {
    fc.assert(
      fc.property(request, request, (first, second) => {
        const before = mergeConfig(base, patchOf(first));
        const after = mergeConfig(before, patchOf(second));
        const named: Readonly<Record<string, readonly string[]>> = {
          customDNS: ['customDns'],
          instanceLifecycleConfig: ['initializer', 'preStop'],
        };
        const touched = new Set(Object.keys(second).flatMap((key) => named[key] ?? [key]));
        for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
          if (touched.has(key)) continue;
          assert.deepEqual(new Map(Object.entries(after)).get(key), new Map(Object.entries(before)).get(key), key);
        }
      }),
    );
  });

  it('gives the same twice as once, and nothing changes by an empty request', () => {
    fc.assert(
      fc.property(request, (input) => {
        const once = mergeConfig(base, patchOf(input));
        assert.deepEqual(mergeConfig(once, patchOf(input)), once);
        assert.deepEqual(mergeConfig(once, {}), once);
      }),
    );
  });

  it('of two requests the later one wins where both speak', () => {
    fc.assert(
      fc.property(request, request, (first, second) => {
        const both = { ...first, ...second };
        delete both.instanceLifecycleConfig;
        const [one, two] = [{ ...first }, { ...second }];
        delete one.instanceLifecycleConfig;
        delete two.instanceLifecycleConfig;
        const stepwise = mergeConfig(mergeConfig(base, patchOf(one)), patchOf(two));
        assert.deepEqual(stepwise, mergeConfig(base, patchOf(both)));
      }),
    );
  });

  it('switches hooks off by an empty handler only', () => {
    const on = mergeConfig(base, patchOf({ instanceLifecycleConfig: { initializer: { handler: 'i', timeout: 9 } } }));
    assert.deepEqual(on.initializer, { handler: 'i', timeout: 9 });
    const kept = mergeConfig(on, patchOf({ instanceLifecycleConfig: { preStop: { handler: 'p', timeout: 5 } } }));
    assert.deepEqual(kept.initializer, { handler: 'i', timeout: 9 });
    const longer = mergeConfig(kept, patchOf({ instanceLifecycleConfig: { initializer: { timeout: 20 } } }));
    assert.deepEqual(longer.initializer, { handler: 'i', timeout: 20 });
    const off = mergeConfig(longer, patchOf({ instanceLifecycleConfig: { initializer: { handler: '' } } }));
    assert.equal(off.initializer, undefined);
    assert.deepEqual(off.preStop, { handler: 'p', timeout: 5 });
  });
});

describe('vCPUs and memory', () => {
  it('has an allowed default for every memory size and every CPU share', () => {
    for (let memorySize = LIMITS.memoryMinMb; memorySize <= LIMITS.memoryMaxMb; memorySize += LIMITS.memoryStepMb) {
      checkConfig(createConfig({ runtime: 'nodejs20', handler: 'a.b', memorySize }), RUNTIMES);
    }
    for (let step = 1; step <= LIMITS.cpuMax / LIMITS.cpuMin; step++) {
      const cpu = Math.round(step * LIMITS.cpuMin * 100) / 100;
      checkConfig(createConfig({ runtime: 'nodejs20', handler: 'a.b', cpu }), RUNTIMES);
    }
    assert.equal(defaultCpu(512), 0.35);
  });

  it('lets the default share follow the memory, and keeps one that was asked for', () => {
    const plain = mergeConfig(createConfig({ runtime: 'nodejs20', handler: 'a.b' }), { memorySize: 4_096 });
    assert.equal(plain.cpu, defaultCpu(4_096));
    const asked = createConfig({ runtime: 'nodejs20', handler: 'a.b', memorySize: 512, cpu: 0.5 });
    assert.equal(mergeConfig(asked, { memorySize: 1_024 }).cpu, 0.5);
    assert.throws(() => checkConfig(mergeConfig(asked, { memorySize: 4_096 }), RUNTIMES), /ratio/);
  });
});
