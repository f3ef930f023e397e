import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { type Heard, runToEnd, scripted, withSandbox } from '../../../src/core/ports/sandbox.suite.ts';
import type { SandboxHandle, SandboxSpec } from '../../../src/core/ports/sandbox.ts';
import { type OciWorld, openWorld, whyNot } from './oci-world.ts';
import { type OutsideHost, outsideHost } from './outside-host.ts';

/** Inside: tries to reach each `host:port` and prints what it got, `no` when it does not answer. */
function reaching(targets: readonly string[]): string {
  return `
    const { connect } = require('node:net');
    const reach = (target) => new Promise((resolve) => {
      const [host, port] = target.split(':');
      let text = '';
      const socket = connect({ host, port: Number(port), timeout: 1500 });
      socket.on('data', (chunk) => { text += chunk; });
      socket.on('end', () => resolve(text));
      socket.on('error', () => resolve('no'));
      socket.on('timeout', () => { socket.destroy(); resolve('no'); });
    });
    Promise.all(${JSON.stringify(targets)}.map(reach)).then((answers) => { console.log(JSON.stringify(answers)); process.exit(); });
  `;
}

async function listening(host: string, answer: string): Promise<Server & { readonly portNumber: number }> {
  const server = createServer((socket) => socket.end(answer));
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return Object.assign(server, { portNumber: address.port });
}

function dial(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host, port });
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

for (const tier of ['container', 'gvisor'] as const) {
  describe(`network of tier ${tier}`, { timeout: 120_000, skip: (await whyNot(tier)) ?? false }, () => {
    let world: OciWorld;
    let outside: OutsideHost;
    let platform: Server & { readonly portNumber: number };
    let other: Server & { readonly portNumber: number };
    const server = scripted(
      'require("node:net").createServer((s) => s.end("inside " + s.remoteAddress)).listen(80, "0.0.0.0", () => console.log("up"))',
      { listen: 'http' },
    );
    const reach = async (targets: readonly string[], changes: Partial<SandboxSpec> = {}): Promise<unknown> =>
      JSON.parse((await runToEnd(world.runtime(), scripted(reaching(targets), changes))).output);

    before(async () => {
      platform = await listening('127.0.0.1', 'platform');
      other = await listening('0.0.0.0', 'other');
      outside = await outsideHost();
      world = await openWorld([platform.portNumber], tier);
    });
    after(async () => {
      await world.close();
      outside.remove();
      platform.close();
      other.close();
      assert.deepEqual(await world.leaks(), []);
    });

    it('lets the host call a sandbox at its address, also below port 1024', async () => {
      await withSandbox(world.runtime(), server, async (handle, heard) => {
        await heard.until('up');
        assert.ok(handle.host !== undefined && handle.socketPath === undefined);
        assert.equal(await dial(handle.host, 80), `inside ${world.runtime().gateway}`);
      });
    });

    it('keeps the hardware address of the gateway while sandboxes come and go: they remember it', async () => {
      const address = (): string => readFileSync(`/sys/class/net/tm${world.tag}/address`, 'utf8').trim();
      const first = address();
      // Devices draw their addresses: among a few there is a lower one than that of a bridge without its own.
      for (let round = 0; round < 6; round++) {
        await withSandbox(world.runtime(), server, async (_, heard) => {
          await heard.until('up');
          assert.equal(address(), first);
        });
      }
      assert.equal(address(), first);
    });

    it('keeps sandboxes apart', async () => {
      await withSandbox(world.runtime(), server, async (handle: SandboxHandle, heard: Heard) => {
        await heard.until('up');
        assert.deepEqual(await reach([`${handle.host}:80`], { internetAccess: false }), ['no']);
        assert.deepEqual(await reach([`${handle.host}:80`], { internetAccess: true }), ['no']);
      });
    });

    it('opens the platform ports at the gateway and nothing else of the host', async () => {
      const gateway = world.runtime().gateway;
      const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
      const others = addresses.filter((each) => each.family === 'IPv4' && each.address !== gateway);
      const hosts = [gateway, ...others.map((each) => each.address)];
      const closed = hosts.map((host) => `${host}:${other.portNumber}`);
      const wrongHost = hosts.slice(1).map((host) => `${host}:${platform.portNumber}`);
      for (const internetAccess of [false, true]) {
        const answers = await reach([`${gateway}:${platform.portNumber}`, ...closed, ...wrongHost], { internetAccess });
        assert.deepEqual(answers, ['platform', ...closed.map(() => 'no'), ...wrongHost.map(() => 'no')]);
      }
    });

    it('changes the platform ports while running', async () => {
      const gateway = world.runtime().gateway;
      const targets = [`${gateway}:${platform.portNumber}`, `${gateway}:${other.portNumber}`];
      await world.runtime().setPlatformPorts([other.portNumber]);
      assert.deepEqual(await reach(targets), ['no', 'other']);
      await world.runtime().setPlatformPorts([platform.portNumber]);
      assert.deepEqual(await reach(targets), ['platform', 'no']);
    });

    it('reaches the outside only with internet access, under the address of the host, and never private ranges', async () => {
      const targets = [outside.publicAddress, ...outside.forbidden].map((address) => `${address}:${outside.port}`);
      for (const address of [outside.publicAddress, ...outside.forbidden]) {
        assert.equal(await dial(address, outside.port), outside.hostAddress, 'the host itself reaches them all');
      }
      assert.deepEqual(
        await reach(targets, { internetAccess: false }),
        targets.map(() => 'no'),
      );
      assert.deepEqual(await reach(targets, { internetAccess: true }), [
        outside.hostAddress,
        ...outside.forbidden.map(() => 'no'),
      ]);
    });

    it('gives and takes internet access by specialise', async () => {
      const limits = { memoryMb: 256, cpu: 2, pids: 64 };
      const target = `${outside.publicAddress}:${outside.port}`;
      const waiting = `require('node:net').createServer(() => { ${reaching([target])} }).listen({ fd: 3 }, () => console.log('up'))`;
      for (const internetAccess of [true, false]) {
        const spec = scripted(waiting, { internetAccess: !internetAccess });
        await withSandbox(world.runtime(), spec, async (handle, heard) => {
          await heard.until('up');
          await handle.specialise({ mounts: [], limits, internetAccess });
          assert.ok(handle.socketPath !== undefined);
          connect(handle.socketPath).on('error', () => undefined);
          await handle.exited;
          assert.equal(heard.text, `up\n${JSON.stringify([internetAccess ? outside.hostAddress : 'no'])}\n`);
        });
      }
    });

    it('holds an instance to its share of connections, and no other', async () => {
      const many = `
        const { connect } = require('node:net');
        let up = 0, refused = 0;
        const tell = () => { if (up + refused === 1100) { console.log(JSON.stringify({ up, refused })); setInterval(() => {}, 1000); } };
        for (let n = 0; n < 1100; n++) connect({ host: '${outside.publicAddress}', port: ${outside.holdingPort} })
          .on('connect', () => { up++; tell(); }).on('error', () => { refused++; tell(); });
      `;
      await withSandbox(world.runtime(), scripted(many, { internetAccess: true }), async (_handle, heard) => {
        await heard.until('}');
        assert.deepEqual(JSON.parse(heard.text), { up: 1024, refused: 76 });
        assert.deepEqual(await reach([`${outside.publicAddress}:${outside.port}`], { internetAccess: true }), [
          outside.hostAddress,
        ]);
      });
    });

    it('holds an instance to its share of questions to name servers', async () => {
      const asking = `
        const socket = require('node:dgram').createSocket('udp4');
        let answers = 0;
        socket.on('message', () => answers++);
        let asked = 0;
        const ask = setInterval(() => {
          for (let n = 0; n < 40; n++) socket.send('question', ${outside.echoPort}, '${outside.publicAddress}', () => {});
          if ((asked += 40) >= 2000) clearInterval(ask);
        }, 10);
        setTimeout(() => { console.log(answers); process.exit(); }, 1500);
      `;
      const { output } = await runToEnd(world.runtime(), scripted(asking, { internetAccess: true }));
      assert.ok(Number(output) > 0 && Number(output) <= 700, `${output} answers to 2000 questions`);
    });

    it('writes the name service configuration asked for', async () => {
      const read = 'console.log(require("node:fs").readFileSync("/etc/resolv.conf", "utf8"))';
      const dns = {
        nameServers: ['203.0.113.53'],
        searches: ['corp.example'],
        dnsOptions: [{ name: 'ndots', value: '2' }],
      };
      const custom = await runToEnd(world.runtime(), scripted(read, { dns }));
      assert.equal(custom.output.trim(), 'nameserver 203.0.113.53\nsearch corp.example\noptions ndots:2');
      const standard = await runToEnd(world.runtime(), scripted(read, { internetAccess: true }));
      assert.equal(standard.output.trim(), `nameserver ${world.runtime().gateway}`);
    });

    it('gives installations that start at the same time subnets of their own', async () => {
      const worlds = await Promise.all([openWorld(), openWorld(), openWorld()]);
      const gateways = new Set([...worlds, world].map((each) => each.runtime().gateway));
      for (const each of worlds) {
        await each.close();
        assert.deepEqual(await each.leaks(), []);
      }
      assert.equal(gateways.size, 4);
    });
  });
}
