import { writeSync } from 'node:fs';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openNonceJournal } from '../../../src/adapters/nonces-fs/index.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { crashNonce } from '../../../src/core/ports/nonce-journal.suite.ts';
import { NONCE_WRITE_MS } from '../../../src/core/ports/nonce-journal.ts';

/** Appends nonces without end; each line says how many were there long enough ago to be written. */
const [, , dir = '', second = '', windowSeconds = ''] = process.argv;
const now = (): number => Number(second) * 1_000;
const clock = { ...systemClock, now };
const options = { dir, windowSeconds: Number(windowSeconds), clock, logger: silentLogger, boot: 'b' };
const journal = await openNonceJournal(options);
/** Twice the promise: what the event loop takes to come round is not the journal's. */
const MARGIN_MS = 2 * NONCE_WRITE_MS;
const marks: { readonly at: number; readonly count: number }[] = [];
let count = 0;
setInterval(() => {
  const at = performance.now();
  for (let n = 0; n < 50; n++) journal.append(Number(second), crashNonce(count++));
  marks.push({ at, count });
  let told = 0;
  while ((marks[0]?.at ?? at) < at - MARGIN_MS) told = marks.shift()?.count ?? 0;
  if (told > 0) writeSync(1, `${told}\n`);
}, 1);
