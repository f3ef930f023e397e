import { closeSync, constants, openSync } from 'node:fs';
import { ioctlBuffer } from './syscalls.ts';

const TIOCSPTLCK = 0x40045431;
const TIOCGPTN = 0x80045430;
const TIOCSWINSZ = 0x5414;

/** Both ends of a new terminal, as descriptors of this process. */
export interface Terminal {
  readonly master: number;
  readonly slave: number;
}

/** A terminal of this host. Throws where there is no /dev/ptmx. */
export function openTerminal(columns: number, rows: number): Terminal {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = openSync('/dev/ptmx', flags | constants.O_NONBLOCK);
  try {
    ioctlBuffer(master, TIOCSPTLCK, Buffer.alloc(4));
    const number = Buffer.alloc(4);
    ioctlBuffer(master, TIOCGPTN, number);
    resizeTerminal(master, columns, rows);
    return { master, slave: openSync(`/dev/pts/${number.readUInt32LE(0)}`, flags) };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

export function resizeTerminal(master: number, columns: number, rows: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  ioctlBuffer(master, TIOCSWINSZ, size);
}
