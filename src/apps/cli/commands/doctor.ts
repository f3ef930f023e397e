import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AvailableRuntime } from '../../../core/domain/runtime.ts';
import type { TierReport } from '../../../core/ports/sandbox.ts';
import type { Context } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { table } from '../terminal/text.ts';

interface HostReport {
  readonly tiers: readonly TierReport[];
  readonly runtimes: readonly AvailableRuntime[];
}

interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly found: string;
  /** What needs it. */
  readonly for: string;
}

/** `tidemill doctor`: exit code 0 when functions can be confined here (tier container or gvisor). */
export async function doctor(context: Context): Promise<number> {
  context.output.note('trying what this host can do ...');
  const report = await hostReport();
  const checks = [...programChecks(), ...kernelChecks()];
  const able = report.tiers.some((tier) => (tier.tier === 'container' || tier.tier === 'gvisor') && tier.available);
  context.output.answer({ ok: able, ...report, checks }, () =>
    [
      table(
        ['ISOLATION', '', 'WHY'],
        report.tiers.map((one) => [one.tier, one.available ? 'yes' : 'no', one.detail]),
      ),
      '',
      table(
        ['RUNTIME', 'WHAT REALLY RUNS'],
        report.runtimes.map((one) => [one.id, one.mapsTo]),
      ),
      '',
      table(
        ['HOST', '', 'FOUND', 'FOR'],
        checks.map((one) => [one.what, one.ok ? 'yes' : 'no', one.found, one.for]),
      ),
      '',
      able
        ? 'Functions can be confined on this host.'
        : 'Functions cannot be confined on this host: see the reasons above.',
    ].join('\n'),
  );
  return able ? EXIT.ok : EXIT.failed;
}

/** What the agent would find: asked of a process of its own, because trying sandboxes needs the agent's own parts. */
export function hostReport(): Promise<HostReport> {
  const entry = fileURLToPath(new URL(`../../agent/doctor${extname(import.meta.filename)}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as HostReport);
      else
        reject(
          new Failure(EXIT.failed, `the examination of this host ended with exit code ${code}`, {
            code: 'DoctorFailed',
            culprit: 'platform',
          }),
        );
    });
  });
}

const FOLDERS = [
  ...new Set([...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']),
];

/** Where a program is, as a shell would find it, or in the folders of system programs; an absolute path stands for itself. */
export function whereIs(name: string): string | undefined {
  return (name.startsWith('/') ? ['/'] : FOLDERS)
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Programs, what needs them, and the Debian package that has them. */
const PROGRAMS: readonly (readonly [string, string, string])[] = [
  ['runc', 'isolation container', 'runc'],
  ['crun', 'isolation container (either)', 'crun'],
  ['runsc', 'isolation gvisor', 'runsc'],
  ['ip', 'networks of sandboxes', 'iproute2'],
  ['nft', 'firewall of sandboxes', 'nftables'],
  ['mkfs.ext4', '/tmp of the configured size', 'e2fsprogs'],
  ['/usr/bin/python3', 'python runtimes', 'python3'],
  ['ffmpeg', 'examples/video-transcode', 'ffmpeg'],
];

function programChecks(): Check[] {
  const node: Check = {
    what: 'node',
    ok: Number.parseInt(process.versions.node, 10) >= 24,
    found: process.versions.node,
    for: 'Tidemill itself (24 or newer)',
  };
  const programs = PROGRAMS.map(([name, why, debian]): Check => {
    const path = whereIs(name);
    const missing = debian === '' ? 'not installed' : `not installed: apt-get install ${debian}`;
    return { what: name, ok: path !== undefined, found: path ?? missing, for: why };
  });
  return [node, ...programs];
}

function kernelChecks(): Check[] {
  const cgroups = cgroupLayout();
  const loops = existsSync('/dev/loop-control');
  return [
    {
      what: 'root',
      ok: process.getuid?.() === 0,
      found: `user id ${process.getuid?.() ?? 'unknown'}`,
      for: 'making sandboxes',
    },
    { what: 'cgroups', ok: cgroups !== 'none', found: cgroups, for: 'memory, CPU and process limits' },
    {
      what: 'loop devices',
      ok: loops,
      found: loops
        ? `/dev/loop-control, ${readdirSync('/dev').filter((name) => /^loop\d+$/.test(name)).length} devices`
        : 'no /dev/loop-control',
      for: '/tmp of the configured size',
    },
  ];
}

/** `v2`, `v1`, `hybrid (v1 controllers)` or `none`, by what is mounted. */
function cgroupLayout(): string {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return 'none';
  }
  const kinds = mounts.split('\n').map((line) => line.split(' ')[2]);
  const [v1, v2] = [kinds.includes('cgroup'), kinds.includes('cgroup2')];
  if (v1 && v2) return 'hybrid (v1 controllers)';
  return v1 ? 'v1' : v2 ? 'v2' : 'none';
}
