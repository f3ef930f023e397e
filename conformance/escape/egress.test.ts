import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNot } from '../../test/adapters/sandbox-oci/oci-world.ts';
import { outsideHost } from '../../test/adapters/sandbox-oci/outside-host.ts';
import { World } from '../fc/world.ts';
import { start } from '../start.ts';

const REACHING = `
const { connect } = require('node:net');
exports.handler = async (event) => Promise.all(JSON.parse(String(event)).map((place) => new Promise((resolve) => {
  const [host, port] = place.split(':');
  const socket = connect({ host, port: Number(port), timeout: 1500 });
  const tell = (text) => { resolve(text); socket.destroy(); };
  socket.on('connect', () => tell('open')).on('error', () => tell('no')).on('timeout', () => tell('no'));
})));
`;

test('functions reach what the operator listed for their account', {
  timeout: 90_000,
  skip: (await whyNot('container')) ?? false,
}, async () => {
  const outside = await outsideHost();
  const [granted, other] = outside.forbidden;
  const network = {
    egress: { '*': [`${outside.publicAddress}:${outside.port}`, `${granted}:${outside.port}`], '1': ['0.0.0.0/0:*'] },
    private: ['192.168.213.0/24'],
  };
  try {
    const world = await World.open(await start({ TIDEMILL_TUNING: JSON.stringify({ network }) }));
    try {
      const places = [
        ...[`${outside.publicAddress}:${outside.port}`, `${outside.publicAddress}:${outside.holdingPort}`],
        ...[`${granted}:${outside.port}`, `${other}:${outside.port}`],
      ];
      const listed = await world.deploy('egress', { 'index.js': REACHING });
      assert.equal((await world.invoke(listed, JSON.stringify(places))).text, '["open","no","open","no"]');
      const closed = await world.deploy('no-egress', { 'index.js': REACHING }, { internetAccess: false });
      assert.equal((await world.invoke(closed, JSON.stringify(places))).text, '["no","no","no","no"]');
    } finally {
      await world.close();
    }
  } finally {
    outside.remove();
  }
});
