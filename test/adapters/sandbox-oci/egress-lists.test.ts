import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  accountGroup,
  FIRST_GROUP,
  LAST_GROUP,
  NO_LISTS,
  parseEgressLists,
} from '../../../src/adapters/sandbox-oci/egress-lists.ts';
import { EGRESS_GROUP, groupFor } from '../../../src/adapters/sandbox-oci/egress-rules.ts';
import { installationTag } from '../../../src/adapters/sandbox-oci/runtime.ts';
import { scripted, withSandbox } from '../../../src/core/ports/sandbox.suite.ts';
import type { SandboxSpec } from '../../../src/core/ports/sandbox.ts';
import { findLeaks } from '../../../tools/leakcheck.ts';
import { openRuntime, whyNoContainers } from './oci-world.ts';
import { type OutsideHost, outsideHost } from './outside-host.ts';

describe('egress lists of an operator', () => {
  it('are read as they are meant', () => {
    const { lists, granted } = parseEgressLists({
      egress: { '1000': ['203.0.113.0/24:443', '10.1.2.3:8000-8100', '0.0.0.0/0:*'], '*': [] },
      private: ['10.1.0.0/16'],
    });
    assert.deepEqual(lists.get('1000'), [
      { cidr: '203.0.113.0/24', ports: '443', granted: false },
      { cidr: '10.1.2.3/32', ports: '8000-8100', granted: true },
      { cidr: '0.0.0.0/0', ports: '1-65535', granted: false },
    ]);
    assert.deepEqual(lists.get('*'), []);
    assert.deepEqual(granted, ['10.1.0.0/16']);
    assert.deepEqual(parseEgressLists({}), NO_LISTS);
  });

  for (const [given, why] of [
    [{ egres: {} }, /no setting network\.egres/],
    [[], /network must be an object/],
    [{ egress: { '1': 'all' } }, /egress\.1 must be a list of texts/],
    [{ egress: { 'a b': [] } }, /account id or \*/],
    [{ egress: { '1': ['api.example.com:443'] } }, /lists of names are not supported/],
    [{ egress: { '1': ['203.0.113.7'] } }, /must be ADDRESS/],
    [{ egress: { '1': ['[2001:db8::1]:443'] } }, /must be ADDRESS/],
    [{ egress: { '1': ['203.0.113.7/24:443'] } }, /by its first address/],
    [{ egress: { '1': ['203.0.113.0/33:443'] } }, /IPv4 range/],
    [{ egress: { '1': ['203.0.113.7:0'] } }, /ports go from 1/],
    [{ egress: { '1': ['203.0.113.7:90-80'] } }, /ports go from 1/],
    [{ egress: { '1': ['203.0.113.7:65536'] } }, /ports go from 1/],
    [{ egress: { '1': ['10.1.2.3:80'] } }, /lies in 10\.0\.0\.0\/8.*grant it/],
    [{ egress: { '1': ['10.2.0.0/16:80'] }, private: ['10.1.0.0/16'] }, /lies in 10\.0\.0\.0\/8/],
    [{ egress: { '1': ['169.254.169.254:80'] } }, /no setting opens it/],
    [{ egress: { '1': [] }, private: ['169.254.0.0/16'] }, /nothing else can be granted/],
    [{ egress: { '1': [] }, private: ['0.0.0.0/0'] }, /nothing else can be granted/],
    [{ private: ['10.1.0.0/16'] }, /grants nothing/],
  ] as const) {
    it(`are refused: ${JSON.stringify(given)}`, () => assert.throws(() => parseEgressLists(given), why));
  }

  it('never mark a private or forbidden address as public', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const first = fc.constantFrom('10', '127', '169.254', '172.16', '172.31', '192.168', '100.64', '224', '240', '0');
    fc.assert(
      fc.property(first, byte, byte, byte, (head, a, b, c) => {
        const address = [...head.split('.'), a, b, c].slice(0, 4).join('.');
        assert.throws(() => parseEgressLists({ egress: { '*': [`${address}:80`] } }), /no instance reaches/);
      }),
    );
  });

  it('are found by a group that depends on the account alone', () => {
    const some = parseEgressLists({ egress: { '1000': [] } });
    assert.equal(groupFor(true, '1000', some), groupFor(true, '1000', NO_LISTS));
    assert.ok(accountGroup('1000') >= FIRST_GROUP && accountGroup('1000') <= LAST_GROUP);
    assert.equal(groupFor(true, undefined, NO_LISTS), EGRESS_GROUP);
    assert.equal(groupFor(true, undefined, some), 0);
    assert.equal(groupFor(false, '1000', some), 0);
  });
});

/** Inside: a server that says of the place it is asked about (`host:port`) whether a connection can be opened. */
const PROBE = `
  const { connect, createServer } = require('node:net');
  createServer((asker) => asker.on('data', (place) => {
    const [host, port] = String(place).split(':');
    const socket = connect({ host, port: Number(port), timeout: 1500 });
    const tell = (text) => { asker.end(text); socket.destroy(); };
    socket.on('connect', () => tell('open')).on('error', () => tell('no')).on('timeout', () => tell('no'));
  })).listen(80, '0.0.0.0', () => console.log('up'));
`;

function ask(host: string | undefined, place: string): Promise<string> {
  assert.ok(host !== undefined);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host, port: 80 }, () => socket.write(place));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('egress lists at work', { timeout: 60_000, skip: (await whyNoContainers()) ?? false }, () => {
  let outside: OutsideHost;
  const runDir = mkdtempSync(join(tmpdir(), 'tm-'));
  chmodSync(runDir, 0o711);
  before(async () => {
    outside = await outsideHost();
  });
  after(async () => {
    outside.remove();
    assert.deepEqual(await findLeaks({ runDir, tag: installationTag(runDir) }), []);
    rmSync(runDir, { recursive: true, force: true });
  });

  const open = (setting: unknown) =>
    openRuntime(runDir, [], 'container', { egress: parseEgressLists(setting), networkPool: 0 });
  const probe = (account?: string): SandboxSpec =>
    scripted(PROBE, { listen: 'http', internetAccess: true, ...(account !== undefined && { account }) });
  /** What the sandbox reaches of: two ports of the public address, a private address, another private one, metadata's range. */
  const reached = async (host: string | undefined): Promise<string> => {
    const [granted, other, linkLocal] = outside.forbidden;
    const places = [
      ...[`${outside.publicAddress}:${outside.port}`, `${outside.publicAddress}:${outside.holdingPort}`],
      ...[`${granted}:${outside.port}`, `${other}:${outside.port}`, `${linkLocal}:${outside.port}`],
    ];
    return (await Promise.all(places.map((place) => ask(host, place)))).join(' ');
  };
  const setting = () => ({
    egress: {
      lists: [],
      first: [`${outside.publicAddress}:${outside.port}`, `${outside.forbidden[0]}:*`],
      '*': [`0.0.0.0/0:${outside.holdingPort}`],
    },
    private: ['192.168.213.0/24'],
  });

  it('let each account reach what its list names, and nothing else', async () => {
    const runtime = await open(setting());
    try {
      for (const [account, expected] of [
        ['first', 'open no open no no'],
        ['another', 'no open no no no'],
        ['lists', 'no no no no no'],
        [undefined, 'no no no no no'],
      ] as const) {
        await withSandbox(runtime, probe(account), async (handle, heard) => {
          await heard.until('up');
          assert.equal(await reached(handle.host), expected, `account ${account}`);
        });
      }
    } finally {
      await runtime.close({ keepNetwork: false });
    }
  });

  it('without them public addresses are open to all and private ones to nobody', async () => {
    const runtime = await open({});
    try {
      for (const account of ['first', undefined]) {
        await withSandbox(runtime, probe(account), async (handle, heard) => {
          await heard.until('up');
          assert.equal(await reached(handle.host), 'open open no no no');
        });
      }
    } finally {
      await runtime.close({ keepNetwork: false });
    }
  });

  it('begin to hold for a sandbox when it gets its account, and for those that run when the agent starts with others', async () => {
    let runtime = await open(setting());
    try {
      const handle = await runtime.create(probe());
      assert.ok(handle.host !== undefined);
      const up = Promise.withResolvers<void>();
      handle.onOutput(() => up.resolve());
      await up.promise;
      assert.equal(await reached(handle.host), 'no no no no no');
      const limits = { memoryMb: 256, cpu: 2, pids: 64 };
      await handle.specialise({ mounts: [], limits, internetAccess: true, account: 'first' });
      assert.equal(await reached(handle.host), 'open no open no no');
      for (const [next, expected] of [
        [{ egress: { first: [`${outside.publicAddress}:${outside.holdingPort}`] } }, 'no open no no no'],
        [{ egress: { '*': [] } }, 'no no no no no'],
        [{}, 'open open no no no'],
      ] as const) {
        await runtime.close({ keepNetwork: true });
        runtime = await open(next);
        const [adopted] = await runtime.adopt();
        assert.equal(await reached(adopted?.host), expected);
      }
      for (const each of await runtime.adopt()) await each.destroy();
    } finally {
      for (const each of await runtime.adopt()) await each.destroy();
      await runtime.close({ keepNetwork: false });
    }
  });
});
