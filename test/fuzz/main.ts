import { parseArgs } from 'node:util';
import { fuzz } from './fuzzer.ts';
import { TARGETS } from './targets.ts';

/** `npm run fuzz -- [target...] [--seconds N] [--seed N]`: each target for N seconds (10); a finding ends it with its input. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(`no such target: ${unknown.join(', ')}; there are ${TARGETS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
console.log(`seed ${values.seed}`);
for (const target of TARGETS) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  const end = performance.now() + Number(values.seconds) * 1000;
  const { runs, refused, longestMs } = await fuzz(target, Number(values.seed), () => performance.now() > end);
  console.log(`${target.name}: ${runs} inputs, ${refused} refused, longest ${longestMs.toFixed(1)} ms`);
}
