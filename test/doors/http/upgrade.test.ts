import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { answerOf } from '../door-world.ts';
import { HttpWorld } from './http-world.ts';

const world = new HttpWorld();
before(async () => {
  await world.start();
  world.trigger('custom-web');
  world.trigger('events');
  world.reply = async (command) => {
    const reply = { status: 200, headers: [] };
    return answerOf(Buffer.from('{}'), command.input.kind === 'http' ? { reply } : {});
  };
});
after(() => world.server.close());

/** Node's own client would wait for the upgrade that it asked for. */
function upgrading(prefix: string, protocol: string): Promise<string> {
  const { hostname, port } = new URL(world.server.url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => {
      socket.end(`GET /~${prefix}/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
    });
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
  });
}

for (const prefix of ['custom-web', 'events']) {
  test(`${prefix}: a WebSocket is refused by name`, async () => {
    const text = await upgrading(prefix, 'websocket');
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.match(text, /"Code":"NotSupported","Message":"Upgrading a connection to 'websocket'/);
  });

  test(`${prefix}: an offer of HTTP/2 is left alone, the call runs`, async () => {
    assert.match(await upgrading(prefix, 'h2c'), /^HTTP\/1\.1 200 /);
  });
}
