import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, link, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MasterKey } from '../../core/ports/master-key.ts';

/** One account's data keys, newest last: versions 1, 2, ... The newest seals, all open. */
export interface DataKeys {
  readonly account: string;
  readonly secrets: readonly Uint8Array[];
}

/** As they lie on disk, one file for each account. */
interface KeyFile {
  readonly keys: readonly { readonly master: string; readonly wrapped: string }[];
}

const KEY_BYTES = 32;
const ACCOUNT = /^[A-Za-z0-9_-]{1,64}$/;

/** The wrapped data keys of all accounts, as files `ACCOUNT.json` in a folder. Several processes may read, and make, them. */
export class DataKeyFiles {
  private readonly folder: string;
  private readonly master: MasterKey;

  constructor(folder: string, master: MasterKey) {
    this.folder = folder;
    this.master = master;
  }

  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
  }

  /** The keys of an account, made and on disk when there are none. Rejects when they do not open. */
  async read(account: string): Promise<DataKeys> {
    const path = this.pathOf(account);
    const file = (await this.load(path)) ?? (await this.make(account, path));
    const secrets = await Promise.all(
      file.keys.map(({ master, wrapped }) =>
        this.master.unwrap({ master, wrapped: Buffer.from(wrapped, 'base64') }, contextOf(account)),
      ),
    );
    return { account, secrets };
  }

  /**
   * Wraps every data key that is under another master key than the current one anew; gives how many accounts that were. Rejects when
   * some account's could not be, after all others.
   */
  async rewrap(): Promise<number> {
    const outcomes = [];
    for (const account of await this.accounts())
      outcomes.push(...(await Promise.allSettled([this.rewrapOne(account)])));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value).length;
  }

  private async rewrapOne(account: string): Promise<boolean> {
    const path = this.pathOf(account);
    const file = await this.load(path);
    if (file === undefined || file.keys.every(({ master }) => master === this.master.current())) return false;
    const { secrets } = await this.read(account);
    const keys = await Promise.all(secrets.map((each) => this.wrapped(account, each)));
    await rename(await this.write(path, { keys }), path);
    await this.sync();
    return true;
  }

  /** Ids of the master keys that some data key needs, with how many. */
  async mastersInUse(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const account of await this.accounts()) {
      const file = await this.load(this.pathOf(account));
      for (const { master } of file?.keys ?? []) counts.set(master, (counts.get(master) ?? 0) + 1);
    }
    return counts;
  }

  private async accounts(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
  }

  /** Of several makers one wins, and all use its keys. */
  private async make(account: string, path: string): Promise<KeyFile> {
    const draft = await this.write(path, { keys: [await this.wrapped(account, randomBytes(KEY_BYTES))] });
    try {
      await link(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(draft, { force: true });
    }
    await this.sync();
    const made = await this.load(path);
    if (made === undefined) throw new Error(`${path} went away while it was made`);
    return made;
  }

  private async wrapped(account: string, secret: Uint8Array): Promise<KeyFile['keys'][number]> {
    const { master, wrapped } = await this.master.wrap(secret, contextOf(account));
    return { master, wrapped: Buffer.from(wrapped).toString('base64') };
  }

  private async load(path: string): Promise<KeyFile | undefined> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return JSON.parse(text) as KeyFile;
    } catch (error) {
      throw new Error(`${path} is damaged: put back a copy of it, what it protects is unreadable without it`, {
        cause: error,
      });
    }
  }

  private async write(path: string, content: KeyFile): Promise<string> {
    const draft = `${path}.${randomUUID()}`;
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(content)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    return draft;
  }

  private async sync(): Promise<void> {
    const folder = await open(this.folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  private pathOf(account: string): string {
    if (!ACCOUNT.test(account)) throw new Error(`'${account}' cannot name an account's keys`);
    return join(this.folder, `${account}.json`);
  }
}

function contextOf(account: string): string {
  return `tidemill data key of ${account}`;
}
