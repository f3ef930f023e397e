import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './command.ts';
import { mountImage } from './loop-device.ts';
import { detachInBackground, ioctlBuffer } from './syscalls.ts';

/** `linux/fscrypt.h`, the same numbers on x86-64 and arm64. */
const FS_IOC_SET_ENCRYPTION_POLICY = 0x800c6613;
const FS_IOC_ADD_ENCRYPTION_KEY = 0xc0506617;
const KEY_SPEC_TYPE_IDENTIFIER = 2;
const ADD_KEY_BYTES = 80;
const RAW_SIZE_OFFSET = 40;
const IDENTIFIER_OFFSET = 8;
const IDENTIFIER_BYTES = 16;
const KEY_BYTES = 64;
const POLICY_V2 = 2;
const AES_256_XTS = 1;
const AES_256_CTS = 4;
const PAD_32 = 3;

/** The image may grow to this part of what the disk has free now. */
const OF_FREE = 0.8;
const BLOCK_BYTES = 4096;

export interface EncryptedDiskOptions {
  /** Where the image is mounted. What lies there in the clear, from an earlier version, is removed. */
  readonly mountPoint: string;
  /** A sparse file on a real disk. */
  readonly image: string;
  readonly bytes: number;
}

export interface EncryptedDisk {
  /** The folder to use. */
  readonly folder: string;
  /** Unmounts it; what was in it is gone. */
  remove(): Promise<void>;
}

/**
 * A folder whose files are encrypted on disk, for what can be made anew: its key exists in the kernel only, for as long as it is mounted. It outlives the
 * process, so that running instances keep their files and the next process takes it over; a restart of the machine leaves bytes that
 * nobody can read, and the next start begins with an empty one. Rejects when this host has no loop devices or its kernel no
 * file system encryption; nothing is left then.
 */
export async function openEncryptedDisk(options: EncryptedDiskOptions): Promise<EncryptedDisk> {
  const { mountPoint, image } = options;
  const folder = join(mountPoint, 'sealed');
  const remove = async (): Promise<void> => {
    // Deleted first: a file without a name is not written back for nothing.
    rmSync(image, { force: true });
    await detachInBackground(mountPoint);
    rmSync(mountPoint, { recursive: true, force: true });
  };
  if (isMounted(mountPoint) && existsSync(folder) && takesFiles(folder)) return { folder, remove };
  await remove();
  try {
    mkdirSync(mountPoint, { recursive: true, mode: 0o755 });
    writeFileSync(image, '', { mode: 0o600 });
    truncateSync(image, imageBytes(options));
    // No journal: after a crash nothing of it is used.
    const features = ['-O', 'encrypt,^has_journal', '-m', '0', '-b', String(BLOCK_BYTES)];
    await mustRun('mkfs.ext4', ['-q', '-F', ...features, '-E', 'nodiscard,lazy_itable_init=1', image]);
    mountImage(image, mountPoint);
    mkdirSync(folder, { mode: 0o755 });
    encrypt(mountPoint, folder);
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Gives the kernel a new key and has everything below the empty folder encrypted with it. */
function encrypt(mountPoint: string, folder: string): void {
  const argument = Buffer.alloc(ADD_KEY_BYTES + KEY_BYTES);
  argument.writeUInt32LE(KEY_SPEC_TYPE_IDENTIFIER, 0);
  argument.writeUInt32LE(KEY_BYTES, RAW_SIZE_OFFSET);
  randomBytes(KEY_BYTES).copy(argument, ADD_KEY_BYTES);
  onFolder(mountPoint, (descriptor) => ioctlBuffer(descriptor, FS_IOC_ADD_ENCRYPTION_KEY, argument));
  argument.fill(0, ADD_KEY_BYTES);
  const identifier = argument.subarray(IDENTIFIER_OFFSET, IDENTIFIER_OFFSET + IDENTIFIER_BYTES);
  const policy = Buffer.concat([Buffer.from([POLICY_V2, AES_256_XTS, AES_256_CTS, PAD_32, 0, 0, 0, 0]), identifier]);
  onFolder(folder, (descriptor) => ioctlBuffer(descriptor, FS_IOC_SET_ENCRYPTION_POLICY, policy));
}

function onFolder(path: string, work: (descriptor: number) => void): void {
  const descriptor = openSync(path, 'r');
  try {
    work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** False when the kernel has the key no more, or the file system takes no writes. */
function takesFiles(folder: string): boolean {
  const probe = join(folder, '.probe');
  try {
    writeFileSync(probe, 'x');
    rmSync(probe);
    return true;
  } catch {
    return false;
  }
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === path);
}

function imageBytes({ mountPoint, bytes }: EncryptedDiskOptions): number {
  const { bavail, bsize } = statfsSync(mountPoint);
  const wanted = Math.min(bytes, Math.floor(bavail * bsize * OF_FREE));
  return wanted - (wanted % BLOCK_BYTES);
}
