import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import * as source from '../../../src/core/protocol/runtime-frames.ts';
import { VECTORS } from './vectors.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const CONSTANTS = {
  FRAME_HEADER_BYTES: source.FRAME_HEADER_BYTES,
  CHUNK_BYTES: source.CHUNK_BYTES,
  MAX_FRAME_BYTES: source.MAX_FRAME_BYTES,
  MAX_RESULT_BYTES: LIMITS.responsePayloadBytes,
  RESULT_HEADER_BYTES: source.RESULT_HEADER_BYTES,
  FRAME: source.FRAME,
  RESULT_STATUS: source.RESULT_STATUS,
  RESULT_FLAG: source.RESULT_FLAG,
};
const python = '/usr/bin/python3';

/** Runs Python with the shim's modules; `code` prints one JSON value. */
function fromPython(code: string): unknown {
  const run = spawnSync(python, ['-B', '-c', `import json\nfrom tidemill_runtime import protocol\n${code}`], {
    env: { PYTHONPATH: join(ROOT, 'runtimes/python') },
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout);
}

describe('the protocol in the runtimes', () => {
  it('is the same for Node', () => {
    const mirror = createRequire(import.meta.url)(join(ROOT, 'runtimes/node/protocol.cjs'));
    for (const [name, value] of Object.entries(CONSTANTS)) assert.deepEqual(mirror[name], value, name);
    for (const vector of VECTORS) {
      const payload = Buffer.from(vector.payloadHex, 'hex');
      const frame = mirror.allocateFrame(vector.type, vector.stream, payload.length) as Buffer;
      payload.copy(frame, source.FRAME_HEADER_BYTES);
      assert.equal(frame.toString('hex'), vector.frameHex, vector.what);
      const seen: unknown[] = [];
      const reader = new mirror.FrameReader((type: number, stream: number, body: Buffer) =>
        seen.push([type, stream, body.toString('hex')]),
      );
      for (const byte of frame) reader.push(Buffer.from([byte]));
      assert.deepEqual(seen, [[vector.type, vector.stream, vector.payloadHex]]);
    }
  });

  it('is the same for Python', { skip: existsSync(python) ? false : 'python3 is not installed' }, () => {
    const names = JSON.stringify(Object.keys(CONSTANTS));
    assert.deepEqual(fromPython(`print(json.dumps({name: getattr(protocol, name) for name in ${names}}))`), CONSTANTS);
    const seen = fromPython(`
out = []
for kind, stream, payload, whole in ${JSON.stringify(VECTORS.map((v) => [v.type, v.stream, v.payloadHex, v.frameHex]))}:
    assert protocol.frame(kind, stream, bytes.fromhex(payload)).hex() == whole
    reader = protocol.FrameReader()
    for byte in bytes.fromhex(whole):
        out += [[k, s, p.hex()] for k, s, p in reader.frames(bytes([byte]))]
assert protocol.result_frame(2, 2, 0, 1, 4096, b'x').hex() == ${JSON.stringify(VECTORS.at(-1)?.frameHex)}
print(json.dumps(out))`);
    assert.deepEqual(
      seen,
      VECTORS.map((vector) => [vector.type, vector.stream, vector.payloadHex]),
    );
  });
});
