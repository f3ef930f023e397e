import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BundleInput, ociConfig } from '../../../src/adapters/sandbox-oci/bundle.ts';
import { parseEgressLists } from '../../../src/adapters/sandbox-oci/egress-lists.ts';
import { firewallRules, redirectTarget } from '../../../src/adapters/sandbox-oci/firewall-rules.ts';
import { resolvConf } from '../../../src/adapters/sandbox-oci/name-service.ts';
import { type SeccompProfile, seccompProfile } from '../../../src/adapters/sandbox-oci/seccomp-profile.ts';

function profileOf(arch: string): SeccompProfile {
  const profile = seccompProfile(arch);
  assert.ok(profile !== undefined);
  return profile;
}

function inputWith(changes: Partial<BundleInput>): BundleInput {
  return {
    rootPath: '/run/t/r/1',
    args: ['/x', 'y'],
    env: { A: '1' },
    cwd: '/',
    hostname: 'h',
    hostId: 100_000,
    network: '/run/t/n/1',
    cgroupsPath: '/tidemill/t/1',
    resources: {
      memory: { limit: 1 },
      cpu: { quota: 1, period: 1 },
      pids: { limit: 1 },
      devices: [],
    },
    seccomp: profileOf('x64'),
    openFiles: 10,
    etcPath: '/e',
    tmpPath: '/t',
    codePath: '/c',
    optPath: '/o',
    boot: [{ source: '/b', target: '/runtime' }],
    init: true,
    ...changes,
  };
}

interface ReadableConfig {
  readonly process: { readonly args: readonly string[]; readonly env: readonly string[] };
  readonly mounts: readonly {
    readonly destination: string;
    readonly type: string;
    readonly options: readonly string[];
  }[];
}

describe('OCI bundle', () => {
  it('shows nothing of the host writable, except the private /tmp, and lets only /code and /opt follow the host', () => {
    const config = ociConfig(inputWith({})) as ReadableConfig;
    const binds = config.mounts.filter((mount) => mount.type === 'bind');
    const writable = binds.filter((mount) => !mount.options.includes('ro') && !mount.options.includes('rro'));
    assert.deepEqual(
      writable.map((mount) => mount.destination),
      ['/tmp'],
    );
    for (const mount of binds) assert.ok(mount.options.includes('nosuid') && mount.options.includes('nodev'));
    const following = binds.filter((mount) => !mount.options.includes('rprivate'));
    assert.deepEqual(
      following.map((mount) => mount.destination),
      ['/code', '/opt'],
    );
  });

  it('adds PATH and HOME to the environment, and nothing over what was asked for', () => {
    const env = (input: Readonly<Record<string, string>>): readonly string[] =>
      (ociConfig(inputWith({ env: input })) as ReadableConfig).process.env;
    assert.deepEqual(
      env({}).map((entry) => entry.split('=')[0]),
      ['PATH', 'HOME'],
    );
    assert.deepEqual([...env({ PATH: '/p', HOME: '/h', B: 'x=y' })].sort(), ['B=x=y', 'HOME=/h', 'PATH=/p']);
  });

  it('starts the process itself where there is no small init', () => {
    assert.deepEqual((ociConfig(inputWith({ init: false })) as ReadableConfig).process.args, ['/x', 'y']);
    assert.deepEqual((ociConfig(inputWith({})) as ReadableConfig).process.args.slice(-2), ['/x', 'y']);
  });
});

describe('system call filter', () => {
  it('lists each call once, denies by default, and leaves the dangerous ones out', () => {
    for (const arch of ['x64', 'arm64']) {
      const profile = profileOf(arch);
      assert.equal(profile.defaultAction, 'SCMP_ACT_ERRNO');
      const plain = profile.syscalls[0]?.names ?? [];
      assert.equal(new Set(plain).size, plain.length);
      const allowed = new Set(
        profile.syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW').flatMap((r) => r.names),
      );
      const denied = ['mount', 'umount2', 'unshare', 'setns', 'bpf', 'ptrace', 'process_vm_readv', 'keyctl', 'add_key'];
      denied.push('io_uring_setup', 'userfaultfd', 'perf_event_open', 'kexec_load', 'init_module', 'open_by_handle_at');
      denied.push(
        'pivot_root',
        'reboot',
        'swapon',
        'open_tree',
        'move_mount',
        'fsopen',
        'mount_setattr',
        'pidfd_getfd',
      );
      assert.deepEqual(
        denied.filter((name) => allowed.has(name)),
        [],
      );
    }
    assert.equal(seccompProfile('riscv64'), undefined);
  });
});

describe('firewall rules', () => {
  const input = {
    table: 'tidemill_t',
    bridge: 'tmt',
    portPrefix: 'tmt-',
    subnet: '10.1.16.0/20',
    gateway: '10.1.16.1',
    platformPorts: [9000, 80, 9000],
    platformHost: '127.0.0.1',
    resolver: undefined,
    egress: parseEgressLists({}),
    limits: { connections: 10, newConnectionsPerSecond: 10, lookupsPerSecond: 5, bytesPerSecond: 1_000_000 },
  };

  it('redirects platform ports only when the platform listens elsewhere', () => {
    assert.match(firewallRules(input), /tcp dport \{ 80, 9000 \} dnat ip to 127\.0\.0\.1/);
    assert.doesNotMatch(firewallRules({ ...input, platformHost: '10.1.16.1' }), /dnat/);
  });

  it('knows where a platform is reached that listens on a name or on everything', () => {
    const hosts = ['0.0.0.0', '::', 'localhost', '127.0.0.1', '192.0.2.7'];
    assert.deepEqual(
      hosts.map((host) => redirectTarget(host, '10.1.16.1')),
      ['10.1.16.1', '10.1.16.1', '127.0.0.1', '127.0.0.1', '192.0.2.7'],
    );
    assert.throws(() => redirectTarget('::1', '10.1.16.1'), /speak IPv4/);
  });

  it('has no rule for ports or names when there are none', () => {
    const rules = firewallRules({ ...input, platformPorts: [] });
    // What is left of ports is the bound on questions to name servers anywhere.
    assert.doesNotMatch(rules.replaceAll(/^ *udp dport 53 (update|jump) .*$/gm, ''), /dnat|dport|proto-dst/);
    assert.match(firewallRules({ ...input, resolver: '192.0.2.53' }), /udp dport 53 dnat ip to 192\.0\.2\.53/);
  });
});

describe('resolv.conf', () => {
  it('names the gateway only for sandboxes that it answers', () => {
    assert.equal(resolvConf(undefined, true, '10.0.0.1'), 'nameserver 10.0.0.1\n');
    assert.equal(resolvConf(undefined, false, '10.0.0.1'), '');
  });

  it('takes over a configuration, with the gateway where it names no server', () => {
    const dns = {
      nameServers: [],
      searches: ['a', 'b'],
      dnsOptions: [{ name: 'rotate' }, { name: 'ndots', value: '1' }],
    };
    assert.equal(resolvConf(dns, true, '10.0.0.1'), 'nameserver 10.0.0.1\nsearch a b\noptions rotate ndots:1\n');
  });
});
