import { writeSync } from 'node:fs';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openFailedCalls } from '../../../src/adapters/failures-fs/index.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { crashPayload } from '../../../src/core/ports/failed-calls.suite.ts';

/** Keeps failed calls without end and prints a line whenever some of them are written. */
const [, , dir = '', at = ''] = process.argv;
const clock = { ...systemClock, now: () => Number(at) };
const bounds = { payloadBytes: 65_536, perFunction: 100_000, bytes: 67_108_864, keptMs: 3_600_000 };
const calls = await openFailedCalls({ dir, bounds, clock, logger: silentLogger });
for (let n = 0; ; n++) {
  const requestId = `crash-${n}`;
  const payload = crashPayload(n);
  calls.keep({ account: '1', functionName: 'f', qualifier: 'LATEST', requestId, at: Number(at), payload });
  if (n % 7 !== 6) continue;
  void calls.find('1', requestId).then(() => writeSync(1, `${n}\n`));
  await new Promise((resolve) => setImmediate(resolve));
}
