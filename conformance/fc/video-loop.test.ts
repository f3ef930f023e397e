import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import OSS from 'ali-oss';
import { models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const EXAMPLE = join(import.meta.dirname, '../../examples/video-transcode');

/** The default: each run makes three files, and each of them would cause another run. */
const HOPS = 16;

/** Two frames, made by the program that the example itself needs. */
function clip(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-clip-'));
  try {
    const path = join(folder, 'clip.mp4');
    const source = ['-f', 'lavfi', '-i', 'testsrc=size=64x36:rate=2:duration=1', '-pix_fmt', 'yuv420p'];
    execFileSync('ffmpeg', ['-loglevel', 'error', '-nostdin', ...source, path]);
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the video example with its output in its input folder comes to an end, and other functions go on meanwhile', async (t) => {
  const code = readFileSync(join(EXAMPLE, 'index.py'), 'utf8');
  const wrong = code
    .replaceAll('f"out/', 'f"in/')
    .replace(/RENDITIONS = .*/, 'RENDITIONS = (("72p", 72, "100k"), ("36p", 36, "50k"))');
  assert.notEqual(wrong, code);
  const name = await world.deploy(
    'video-loop',
    { 'index.py': wrong, 'objects.py': readFileSync(join(EXAMPLE, 'objects.py'), 'utf8') },
    {
      runtime: 'python3.10',
      timeout: 60,
      memorySize: 512,
      cpu: 0.5,
    },
  );
  const { accessKeyId, accessKeySecret, objectsEndpoint } = world.platform;
  const bucket = name.toLowerCase();
  const store = new OSS({
    ...{ accessKeyId, accessKeySecret, bucket, endpoint: objectsEndpoint, secure: false },
    ...{ sldEnable: true },
  });
  await store.putBucket(bucket);
  const body = new models.CreateTriggerInput({
    triggerName: 'uploaded',
    triggerType: 'oss',
    sourceArn: `acs:oss:local::${bucket}`,
    triggerConfig: JSON.stringify({ events: ['oss:ObjectCreated:*'], filter: { key: { prefix: 'in/', suffix: '' } } }),
  });
  await world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  const other = await world.deploy('video-bystander', { 'index.js': 'exports.handler = async () => "fine";' });
  await store.put('in/clip.mp4', clip());
  let open = 0;
  let runs = 0;
  let chain: readonly unknown[] = [];
  for await (const fact of world.follow(name)) {
    if (fact.type === 'event-accepted') open++;
    if (fact.type === 'event-ended') open--;
    if (fact.type === 'invocation-settled' && fact['instanceId'] !== '') runs++;
    if (fact.type === 'loop-stopped' && chain.length === 0) {
      chain = (fact['lineage'] as { chain: readonly unknown[] }).chain;
      assert.equal((await world.invoke(other)).text, 'fine');
    }
    if (chain.length > 0 && open === 0) break;
  }
  assert.equal(chain.length, HOPS);
  t.diagnostic(`${runs} runs`);
  assert.ok(runs >= HOPS && runs < 8 * HOPS, `${runs} runs, of the ${3 ** HOPS} there could be`);
});
