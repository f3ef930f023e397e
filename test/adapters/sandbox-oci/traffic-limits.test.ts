import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { trafficRules } from '../../../src/adapters/sandbox-oci/traffic-limits.ts';
import { runToEnd, scripted } from '../../../src/core/ports/sandbox.suite.ts';
import { type OciWorld, openWorld, whyNoContainers } from './oci-world.ts';
import { type OutsideHost, outsideHost } from './outside-host.ts';

const MIB = 1024 * 1024;
const LIMITS = { connections: 12, newConnectionsPerSecond: 10, lookupsPerSecond: 5, bytesPerSecond: 2 * MIB };

/** Inside: opens `count` connections one after the other, keeps them or closes each, prints how many were opened. */
function opening(host: string, port: number, count: number, how: 'keep' | 'close'): string {
  return `
    const { connect } = require('node:net');
    const started = performance.now();
    const open = () => new Promise((resolve) => {
      const socket = connect({ host: '${host}', port: ${port} });
      socket.on('error', () => resolve(undefined));
      socket.on('connect', () => {
        if ('${how}' === 'keep') return resolve(socket);
        socket.on('close', () => resolve(socket));
        socket.end();
        socket.resume();
      });
    });
    (async () => {
      const sockets = [];
      for (let i = 0; i < ${count}; i++) sockets.push(await open());
      const opened = sockets.filter(Boolean);
      const seconds = (performance.now() - started) / 1000;
      for (const socket of opened) socket.destroy();
      // What was closed counts no more, as soon as the kernel has seen it.
      let again;
      while (again === undefined) again = await open();
      console.log(JSON.stringify({ opened: opened.length, seconds }));
      process.exit();
    })();
  `;
}

/** Inside: receives (or sends, when negative) so many bytes, prints the seconds it took. */
function moving(host: string, port: number, bytes: number): string {
  return `
    const socket = require('node:net').connect({ host: '${host}', port: ${port} });
    const started = performance.now();
    socket.on('data', () => undefined);
    socket.on('close', () => { console.log((performance.now() - started) / 1000); process.exit(); });
    socket.write('${bytes}'.padEnd(16));
    if (${bytes} < 0) socket.write(Buffer.alloc(${-bytes}));
  `;
}

describe('limits of the network of one instance', {
  timeout: 180_000,
  skip: (await whyNoContainers()) ?? false,
}, () => {
  let platform: Server;
  let port: number;
  let outside: OutsideHost;
  let limited: OciWorld;
  let standard: OciWorld;

  before(async () => {
    platform = createServer({ allowHalfOpen: false }, (socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => {
      platform.listen(0, '127.0.0.1', resolve);
    });
    const address = platform.address();
    assert.ok(address !== null && typeof address === 'object');
    port = address.port;
    outside = await outsideHost();
    limited = await openWorld([port], 'container', { traffic: LIMITS });
    standard = await openWorld([port]);
  });
  after(async () => {
    for (const world of [limited, standard]) {
      await world.close();
      assert.deepEqual(await world.leaks(), []);
    }
    outside.remove();
    platform.close();
  });

  const open = async (world: OciWorld, count: number, how: 'keep' | 'close') => {
    const script = opening(world.runtime().gateway, port, count, how);
    const { output } = await runToEnd(world.runtime(), scripted(script));
    return JSON.parse(output) as { readonly opened: number; readonly seconds: number };
  };
  const secondsToMove = async (world: OciWorld, bytes: number): Promise<number> => {
    const script = moving(outside.publicAddress, outside.bulkPort, bytes);
    return Number((await runToEnd(world.runtime(), scripted(script, { internetAccess: true }))).output);
  };

  it('refuses more connections at a time than allowed, until some are closed; each instance has its own count', async () => {
    const both = await Promise.all([open(limited, 40, 'keep'), open(limited, 40, 'keep')]);
    assert.deepEqual(
      both.map((each) => each.opened),
      [LIMITS.connections, LIMITS.connections],
    );
    assert.equal((await open(standard, 40, 'keep')).opened, 40);
  });

  it('refuses connections that are opened too fast, also when the earlier ones are closed', async () => {
    const { opened, seconds } = await open(limited, 300, 'close');
    const allowed = LIMITS.newConnectionsPerSecond * (5 + seconds) + 1;
    assert.ok(opened >= 5 && opened <= allowed, `${opened} connections in ${seconds} s, allowed were ${allowed}`);
    assert.equal((await open(standard, 300, 'close')).opened, 300);
  });

  it('holds what is sent and what is received to so many bytes a second', async () => {
    const bytes = 6 * MIB;
    // At the rate, but for what may come at once.
    const least = (bytes - 128 * 1024) / LIMITS.bytesPerSecond - 1;
    for (const each of [bytes, -bytes]) {
      const seconds = await secondsToMove(limited, each);
      assert.ok(seconds >= least * 0.95, `${each} bytes in ${seconds} s`);
      const free = await secondsToMove(standard, each);
      assert.ok(free < least / 2, `${each} bytes in ${free} s with the standard limits`);
    }
  });
});

describe('rules of these limits', () => {
  it('let pass only what was counted, in sets that have room for every address', () => {
    const rules = trafficRules(
      { connections: 7, newConnectionsPerSecond: 3, lookupsPerSecond: 5, bytesPerSecond: 1_000 },
      4096,
      'reject',
    );
    assert.equal(rules.match(/size 4096;/g)?.length, 5);
    assert.match(rules, /ct count 7 \} return\n\s+goto refused_opening/);
    assert.match(rules, /limit rate 3\/second burst 15 packets \} goto counted_opening\n\s+goto refused_opening/);
    assert.match(rules, /limit rate 5\/second burst 5 packets \} return\n\s+drop/);
    // A rate so low that one packet would not fit into its burst would stop the network.
    assert.equal(rules.match(/limit rate 1000 bytes\/second burst 131072 bytes \} return\n\s+drop/g)?.length, 2);
    assert.doesNotMatch(rules, /over|accept/);
  });
});
