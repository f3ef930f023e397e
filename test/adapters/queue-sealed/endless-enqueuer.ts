import { join } from 'node:path';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openMasterKeyFile } from '../../../src/adapters/master-key-file/index.ts';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { sealQueue } from '../../../src/adapters/queue-sealed/index.ts';
import { openEnvelopeVault } from '../../../src/adapters/vault-envelope/index.ts';

const [path = '', keys = ''] = process.argv.slice(2);
const vault = await openEnvelopeVault({
  folder: join(keys, 'keys'),
  master: openMasterKeyFile(join(keys, 'master.key')),
  onError: (error) => {
    throw error;
  },
});
const queue = sealQueue(await openEventQueue({ path, clock: systemClock, rememberMs: 1000 }), vault);
let next = 0;

async function enqueueOn(): Promise<never> {
  for (;;) {
    const id = `crash-${next++}`;
    await queue.enqueue([{ id, key: 'crash', dueAt: 0, headers: null, payload: new Uint8Array(300) }]);
    process.stdout.write(`${id}\n`);
  }
}
await Promise.all(Array.from({ length: 64 }, enqueueOn));
