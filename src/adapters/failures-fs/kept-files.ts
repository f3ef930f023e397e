/** One kept call: a file `{at}-{bytes}-{call}` in the folder of its function. */
export interface KeptFile {
  readonly functionKey: string;
  readonly callKey: string;
  readonly name: string;
  readonly at: number;
  /** What it takes of the disk. */
  readonly bytes: number;
}

const NAME = /^(\d{1,15})-(\d{1,12})-([0-9a-f]{32})$/;
/** A file takes whole blocks. */
const BLOCK = 4_096;

/** The entry for a file of that many bytes. */
export function keptFile(functionKey: string, callKey: string, at: number, length: number): KeptFile {
  return { functionKey, callKey, at, name: `${at}-${length}-${callKey}`, bytes: Math.ceil(length / BLOCK) * BLOCK };
}

/** The same, from the name in a folder; undefined when it is none of ours. */
export function keptFileOf(functionKey: string, name: string): KeptFile | undefined {
  const [, at, length, callKey = ''] = NAME.exec(name) ?? [];
  return at === undefined ? undefined : keptFile(functionKey, callKey, Number(at), Number(length));
}

/** Which files there are, in the order of their failures: what finds them and says which go. In memory, no I/O. */
export class KeptFiles {
  private readonly all = new Set<KeptFile>();
  private readonly byFunction = new Map<string, Set<KeptFile>>();
  private readonly byCall = new Map<string, Set<KeptFile>>();
  private total = 0;

  get bytes(): number {
    return this.total;
  }

  /** The newest is added last. */
  add(file: KeptFile): void {
    this.all.add(file);
    membersOf(this.byFunction, file.functionKey).add(file);
    membersOf(this.byCall, file.callKey).add(file);
    this.total += file.bytes;
  }

  delete(file: KeptFile): void {
    if (!this.all.delete(file)) return;
    remove(this.byFunction, file.functionKey, file);
    remove(this.byCall, file.callKey, file);
    this.total -= file.bytes;
  }

  /** The latest of a call. */
  find(callKey: string, functionKey: string | undefined): KeptFile | undefined {
    return [...(this.byCall.get(callKey) ?? [])].findLast(
      (file) => functionKey === undefined || file.functionKey === functionKey,
    );
  }

  ofFunction(functionKey: string): readonly KeptFile[] {
    return [...(this.byFunction.get(functionKey) ?? [])];
  }

  /** Those that have to go, oldest first. `since`: older ones are past their age. */
  beyond(bounds: {
    readonly bytes: number;
    readonly perFunction: number;
    readonly since: number;
  }): readonly KeptFile[] {
    const going = new Set<KeptFile>();
    for (const files of this.byFunction.values()) {
      let over = files.size - bounds.perFunction;
      for (const file of files)
        if (over-- > 0) going.add(file);
        else break;
    }
    let bytes = this.total;
    for (const file of going) bytes -= file.bytes;
    for (const file of this.all) {
      if (file.at >= bounds.since && bytes <= bounds.bytes) break;
      if (going.has(file)) continue;
      going.add(file);
      bytes -= file.bytes;
    }
    return [...going];
  }
}

function membersOf(map: Map<string, Set<KeptFile>>, key: string): Set<KeptFile> {
  let members = map.get(key);
  if (members === undefined) {
    members = new Set();
    map.set(key, members);
  }
  return members;
}

function remove(map: Map<string, Set<KeptFile>>, key: string, file: KeptFile): void {
  const members = map.get(key);
  members?.delete(file);
  if (members?.size === 0) map.delete(key);
}
