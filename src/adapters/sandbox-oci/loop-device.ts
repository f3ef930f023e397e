import { closeSync, existsSync, openSync } from 'node:fs';
import { ioctl, ioctlBuffer, MS, makeLoopNode, mount, SystemCallError } from './syscalls.ts';

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;
const CONFIG_BYTES = 304;
const BLOCK_SIZE_OFFSET = 4;
const FLAGS_OFFSET = 8 + 52;
const BLOCK_BYTES = 4096;
/** Others on this host may take the free device that we were told of; each attempt asks anew. */
const ATTEMPTS = 64;

/**
 * Mounts an ext4 image file. The loop device frees itself with the last user of the mount (autoclear), so there is
 * nothing to remember but the mount. Throws SystemCallError.
 */
export function mountImage(image: string, target: string): void {
  const backing = openSync(image, 'r+');
  try {
    const device = attach(backing);
    try {
      mount(device.path, target, 'ext4', MS.nosuid | MS.nodev, 'noinit_itable,nodiscard');
    } finally {
      closeSync(device.descriptor);
    }
  } finally {
    closeSync(backing);
  }
}

function attach(backing: number): { path: string; descriptor: number } {
  const control = openSync('/dev/loop-control', 'r+');
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const minor = ioctl(control, LOOP_CTL_GET_FREE, 0);
      const path = `/dev/loop${minor}`;
      if (!existsSync(path)) makeLoopNode(path, minor);
      const descriptor = openSync(path, 'r+');
      const config = Buffer.alloc(CONFIG_BYTES);
      config.writeUInt32LE(backing, 0);
      config.writeUInt32LE(BLOCK_BYTES, BLOCK_SIZE_OFFSET);
      // Direct I/O: the image's pages are not cached a second time below the file system.
      config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, FLAGS_OFFSET);
      try {
        ioctlBuffer(descriptor, LOOP_CONFIGURE, config);
        return { path, descriptor };
      } catch (error) {
        closeSync(descriptor);
        if (!(error instanceof SystemCallError && error.code === 'EBUSY')) throw error;
      }
    }
    throw new Error(`no free loop device after ${ATTEMPTS} attempts`);
  } finally {
    closeSync(control);
  }
}
