import { TidemillError } from './errors.ts';
import { LIMITS } from './limits.ts';

/**
 * What a code package may contain. Control checks every package on arrival, the node checks again while unpacking: both ask here, so
 * that what was accepted can be unpacked. Nothing in an archive may name a place outside its own folder.
 */
interface ArchiveEntry {
  /** As decoded; `/` separates, a trailing one marks a directory. */
  readonly name: string;
  /** Unix `st_mode`, 0 when the archive does not say (see `unixMode`). */
  readonly mode: number;
  /** Declared bytes after inflation. */
  readonly size: number;
  readonly encrypted: boolean;
  /** 0 stored, 8 deflated; others are refused. */
  readonly compressionMethod: number;
}

export interface CheckedEntry {
  readonly kind: 'file' | 'directory' | 'link';
  /** Relative, without `.` components or trailing slash. Empty for the root itself. */
  readonly path: string;
  /** Nine permission bits; set-id and sticky bits are dropped. 0o644 or 0o755 when the archive does not say. */
  readonly permissions: number;
  readonly size: number;
}

const TYPE_MASK = 0o170000;
const TYPE_FILE = 0o100000;
const TYPE_DIRECTORY = 0o040000;
const TYPE_LINK = 0o120000;
const MADE_BY_UNIX = 3;
const MADE_BY_DARWIN = 19;
const NAME_BYTES_MAX = 4_096;
const COMPONENT_BYTES_MAX = 255;
/** Bytes of a link's target, which is the content of its entry. */
export const LINK_TARGET_BYTES_MAX = 1_024;
/** Above this unpacked size an archive may not inflate to more than `RATIO_MAX` times its own size. */
const RATIO_FREE_BYTES = 256 * 1024 * 1024;
const RATIO_MAX = 200;

/** The `st_mode` of a zip entry; 0 when it was not made on a Unix-like system. */
export function unixMode(versionMadeBy: number, externalFileAttributes: number): number {
  const system = versionMadeBy >>> 8;
  return system === MADE_BY_UNIX || system === MADE_BY_DARWIN ? externalFileAttributes >>> 16 : 0;
}

function refuse(message: string, remedy: string): TidemillError {
  return new TidemillError('InvalidArgument', message, { remedy });
}

/** An entry's name inside a message: control characters would spoil logs and terminals. */
export function printable(name: string): string {
  const clean = name.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?');
  return clean.length > 200 ? `${clean.slice(0, 200)}...` : clean;
}

/** Name rules of one entry: throws TidemillError InvalidArgument, or returns the path relative to the archive's folder. */
function checkName(name: string): string {
  const shown = printable(name);
  const remedy = 'Pack the files with relative paths inside one folder, e.g. `cd folder && zip -r ../code.zip .`.';
  if (name === '') throw refuse('code package has an entry without a name', remedy);
  if (name.includes('\0')) throw refuse(`code package entry '${shown}' has a NUL character in its name`, remedy);
  if (name.includes('\\')) throw refuse(`code package entry '${shown}' has a backslash in its name`, remedy);
  if (name.startsWith('/') || /^[A-Za-z]:\//.test(name)) {
    throw refuse(`code package entry '${shown}' has an absolute path`, remedy);
  }
  if (byteLength(name) > NAME_BYTES_MAX) {
    throw refuse(`code package entry '${shown}' has a path longer than ${NAME_BYTES_MAX} bytes`, 'Shorten the path.');
  }
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') throw refuse(`code package entry '${shown}' leads out of the package ('..')`, remedy);
    if (part === '' || part === '.') continue;
    if (byteLength(part) > COMPONENT_BYTES_MAX) {
      throw refuse(`code package entry '${shown}' has a name longer than ${COMPONENT_BYTES_MAX} bytes`, 'Shorten it.');
    }
    parts.push(part);
  }
  return parts.join('/');
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function kindOf(entry: ArchiveEntry): CheckedEntry['kind'] {
  const type = entry.mode & TYPE_MASK;
  if (type === TYPE_LINK) return 'link';
  if (type === TYPE_DIRECTORY || entry.name.endsWith('/')) return 'directory';
  if (type === 0 || type === TYPE_FILE) return 'file';
  throw refuse(
    `code package entry '${printable(entry.name)}' is a device, pipe or socket`,
    'Leave special files out: only files, directories and symbolic links are allowed.',
  );
}

/** The rules that concern one entry alone. Throws TidemillError InvalidArgument naming the entry. */
function checkEntry(entry: ArchiveEntry): CheckedEntry {
  const path = checkName(entry.name);
  const shown = printable(entry.name);
  const kind = kindOf(entry);
  if (entry.encrypted) throw refuse(`code package entry '${shown}' is encrypted`, 'Pack the files without a password.');
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw refuse(
      `code package entry '${shown}' uses compression method ${entry.compressionMethod}`,
      'Pack with the standard deflate method (or without compression).',
    );
  }
  if (path === '' && kind !== 'directory') throw refuse(`code package entry '${shown}' has no name`, 'Give it a name.');
  if (kind === 'link' && (entry.size === 0 || entry.size > LINK_TARGET_BYTES_MAX)) {
    throw refuse(
      `code package link '${shown}' has an empty or overlong target`,
      'Make it a link to a file of the package.',
    );
  }
  const bits = entry.mode & 0o777;
  const permissions = entry.mode === 0 || bits === 0 ? (kind === 'directory' ? 0o755 : 0o644) : bits;
  return { kind, path, permissions, size: kind === 'directory' ? 0 : entry.size };
}

/**
 * A link may only point inside the package, and must say so without detours: `..` only at the start and no more of them than the
 * link lies deep, never absolute. The folder of a link is real (`ArchiveCheck` refuses entries below a link), so each such link stays
 * inside, and so does a chain of them. Throws TidemillError InvalidArgument.
 */
export function checkLink(path: string, target: string): void {
  const what = `code package link '${printable(path)}' -> '${printable(target)}'`;
  const remedy = 'Make it a relative link to a file of the package, or pack the file itself.';
  if (target === '' || target.includes('\0')) throw refuse(`${what} has no usable target`, remedy);
  if (target.startsWith('/')) throw refuse(`${what} points to an absolute path`, remedy);
  let room = path.split('/').length - 1;
  let descended = false;
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      descended = true;
    } else if (descended) {
      throw refuse(`${what} has '..' after a name`, remedy);
    } else if (--room < 0) {
      throw refuse(`${what} leads out of the package`, remedy);
    }
  }
}

/** The rules that concern all entries together. Feed every entry to `add`, in any order, then call `finish`. */
export class ArchiveCheck {
  private readonly packedBytes: number;
  private readonly kinds = new Map<string, CheckedEntry['kind']>();
  private entries = 0;
  private bytes = 0;

  /** `packedBytes`: size of the archive itself, for the inflation ratio. */
  constructor(packedBytes: number) {
    this.packedBytes = packedBytes;
  }

  /** Declared unpacked bytes so far. */
  get unpackedBytes(): number {
    return this.bytes;
  }

  /** Throws TidemillError InvalidArgument. A link's target is checked by `checkLink`, once its content has been read. */
  add(entry: ArchiveEntry): CheckedEntry {
    const checked = checkEntry(entry);
    this.entries++;
    if (this.entries > LIMITS.unpackedCodeEntries) {
      throw refuse(`code package has more than ${LIMITS.unpackedCodeEntries} entries`, 'Pack fewer files.');
    }
    this.bytes += checked.size;
    this.checkTotals(entry.name);
    const known = this.kinds.get(checked.path);
    if (known !== undefined && !(known === 'directory' && checked.kind === 'directory')) {
      throw refuse(`code package has the entry '${printable(checked.path)}' twice`, 'Pack every path once.');
    }
    this.kinds.set(checked.path, checked.kind);
    return checked;
  }

  private checkTotals(name: string): void {
    if (this.bytes > LIMITS.unpackedCodeBytes) {
      throw refuse(
        `code package unpacks to more than ${LIMITS.unpackedCodeBytes} bytes (reached at entry '${printable(name)}')`,
        'Make the package smaller, or read large files from object storage at run time.',
      );
    }
    if (this.bytes > RATIO_FREE_BYTES && this.bytes > this.packedBytes * RATIO_MAX) {
      throw refuse(
        `code package unpacks to more than ${RATIO_MAX} times its size (reached at entry '${printable(name)}')`,
        'Such a package is taken for a zip bomb: leave the highly repetitive file out, or make it at run time.',
      );
    }
  }

  /** Throws when there is no file at all, or when an entry lies below something that is not a directory. */
  finish(): void {
    let content = false;
    for (const [path, kind] of this.kinds) {
      if (kind !== 'directory') content = true;
      for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
        const above = this.kinds.get(path.slice(0, slash));
        if (above === undefined || above === 'directory') continue;
        throw refuse(
          `code package entry '${printable(path)}' lies below '${printable(path.slice(0, slash))}', which is a ${above}`,
          'Pack files below directories only, never below a link.',
        );
      }
    }
    if (!content) throw refuse('code package has no files', 'Pack at least the file that holds the handler.');
  }
}
