import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Who functions run as, inside. Not 0: programs that treat root specially behave as they do for anybody. */
export const INSIDE_ID = 1000;

/** Where a sandbox finds its own resolv.conf and hosts; /etc links there. */
export const INSTANCE_ETC = '/run/instance';

const FOLDERS = ['code', 'dev', 'etc', 'home', 'mnt', 'opt', 'proc', 'root', 'run', 'srv', 'sys', 'tmp', 'usr', 'var'];
const NESTED = ['var/empty', 'var/lib', 'var/cache', 'run/instance/link'];
const LINKS: Readonly<Record<string, string>> = { 'var/run': '/run', 'var/tmp': '/tmp', 'run/lock': '/tmp' };
/** Folders of a merged-/usr host that are links there and therefore here. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/**
 * What of the host's /etc is shown: what programs in /usr need to run at all (link cache, alternatives, certificates,
 * fonts, name tables), and nothing that describes this host. Only files that everybody may read there are taken.
 */
const COPIED = [
  ...['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'ssl/certs', 'ssl/openssl.cnf', 'mime.types'],
  ...['protocols', 'services', 'rpc', 'gai.conf', 'fonts', 'magic', 'magic.mime', 'locale.alias', 'inputrc'],
  ...['python3', 'python3.9', 'python3.10', 'python3.11', 'python3.12', 'python3.13', 'ImageMagick-6', 'pki/tls'],
];

const WRITTEN: Readonly<Record<string, string>> = {
  passwd: `root:x:0:0:root:/root:/usr/sbin/nologin
function:x:${INSIDE_ID}:${INSIDE_ID}:function:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`,
  group: `root:x:0:
tty:x:5:
function:x:${INSIDE_ID}:
nogroup:x:65534:
`,
  'nsswitch.conf': `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
`,
  'host.conf': 'multi on\n',
  shells: '/bin/sh\n',
  'os-release': 'NAME="Tidemill"\nID=tidemill\nPRETTY_NAME="Tidemill function sandbox"\n',
  timezone: 'Etc/UTC\n',
};

const ETC_LINKS: Readonly<Record<string, string>> = {
  localtime: '/usr/share/zoneinfo/Etc/UTC',
  mtab: '/proc/self/mounts',
  'resolv.conf': `${INSTANCE_ETC}/resolv.conf`,
  hosts: `${INSTANCE_ETC}/hosts`,
};

export interface BootPoint {
  readonly target: string;
  readonly isFile: boolean;
}

/**
 * Read-only root file systems: empty folders to mount on and a synthesized /etc. One per set of boot targets, made once
 * and shared by all sandboxes that need it; its name follows from its content, so a changed host gets a new one while
 * sandboxes on the old one run on.
 */
export class RootSkeletons {
  private readonly folder: string;
  private readonly made = new Map<string, string>();

  constructor(runDir: string) {
    this.folder = join(runDir, 'r');
    mkdirSync(this.folder, { recursive: true, mode: 0o711 });
  }

  /** Path of a skeleton with mount points for these boot targets. Throws when a target would cover something else. */
  pathFor(points: readonly BootPoint[]): string {
    for (const point of points) checkTarget(point.target);
    const wanted = JSON.stringify([...points].sort((a, b) => (a.target < b.target ? -1 : 1)));
    const known = this.made.get(wanted);
    if (known !== undefined) return known;
    const name = createHash('sha256').update(wanted).update(fingerprint()).digest('hex').slice(0, 12);
    const path = join(this.folder, name);
    if (!existsSync(path)) {
      const draft = `${path}.${process.pid}`;
      rmSync(draft, { recursive: true, force: true });
      buildSkeleton(draft, points);
      renameSync(draft, path);
    }
    this.made.set(wanted, path);
    return path;
  }
}

const RESERVED = [...FOLDERS.filter((name) => name !== 'mnt' && name !== 'srv' && name !== 'var'), ...MERGED];

function checkTarget(target: string): void {
  const parts = target.split('/');
  const first = parts[1] ?? '';
  const clean =
    target.startsWith('/') && !target.endsWith('/') && !parts.slice(1).some((part) => /^\.{0,2}$/.test(part));
  const covering = RESERVED.includes(first) || ['/var', '/var/run', '/var/tmp'].includes(target);
  if (!clean || covering) throw new Error(`a boot folder cannot appear at ${target}`);
}

function buildSkeleton(root: string, points: readonly BootPoint[]): void {
  for (const name of [...FOLDERS, ...NESTED]) mkdirSync(join(root, name), { recursive: true, mode: 0o755 });
  for (const [name, target] of Object.entries(LINKS)) symlinkSync(target, join(root, name));
  for (const name of MERGED) {
    const here = join('/', name);
    if (!existsSync(here)) continue;
    if (!lstatSync(here).isSymbolicLink())
      throw new Error(`${here} is not a link into /usr: this host's /usr is not merged`);
    symlinkSync(readlinkSync(here), join(root, name));
  }
  const etc = join(root, 'etc');
  for (const name of COPIED) copyReadable(join('/etc', name), join(etc, name));
  for (const [name, text] of Object.entries(WRITTEN)) writeFileSync(join(etc, name), text, { mode: 0o644 });
  for (const [name, target] of Object.entries(ETC_LINKS)) symlinkSync(target, join(etc, name));
  for (const point of points) {
    const path = join(root, point.target);
    mkdirSync(point.isFile ? dirname(path) : path, { recursive: true, mode: 0o755 });
    if (point.isFile) writeFileSync(path, '');
  }
  chmodSync(root, 0o755);
}

const WORLD_READ = 0o004;

/** Copies files, folders and links (as links) that everybody may read; anything else is passed over. */
function copyReadable(source: string, target: string): void {
  const stat = lstatSync(source, { throwIfNoEntry: false });
  if (stat === undefined) return;
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(source), target);
  } else if ((stat.mode & WORLD_READ) === 0) {
    return;
  } else if (stat.isDirectory()) {
    mkdirSync(target, { recursive: true, mode: 0o755 });
    for (const name of readdirSync(source)) copyReadable(join(source, name), join(target, name));
  } else if (stat.isFile()) {
    copyFileSync(source, target);
    chmodSync(target, 0o644 | (stat.mode & 0o111));
  }
}

/** Changes whenever something that was copied may have changed. */
function fingerprint(): string {
  return COPIED.map((name) => {
    const stat = statSync(join('/etc', name), { throwIfNoEntry: false });
    return `${name}:${stat?.mtimeMs ?? 0}:${stat?.size ?? 0}`;
  }).join(' ');
}
