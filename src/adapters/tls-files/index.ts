import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';

/** Where the operator keeps the certificate chain and its private key, both PEM. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate chain and its key that fit each other. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** Host names and addresses that the certificate is for, wildcards included, in its own order. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** How often the files are looked at. Links are followed: what renews certificates often swaps links. */
const LOOK_MS = 5_000;

/** Reads and checks the pair; throws, naming the file, when it cannot be read, does not fit, or has ended at `now`. */
export function readTlsFiles(files: TlsFiles, now: number): TlsIdentity {
  const cert = read(files.certificate);
  const key = read(files.key);
  const leaf = attempt(files.certificate, 'no PEM certificate', () => new X509Certificate(cert));
  const secret = attempt(files.key, 'no PEM private key without a passphrase', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(secret)) throw new Error(`${files.key} is not the key of ${files.certificate}`);
  const notAfter = Date.parse(leaf.validTo);
  if (notAfter <= now) throw new Error(`the certificate ${files.certificate} ended on ${leaf.validTo}`);
  attempt(files.certificate, 'a certificate that cannot be used', () => createSecureContext({ cert, key }));
  return { cert, key, names: namesOf(leaf), notAfter };
}

/**
 * Tells of every new pair that fits, until disposed; a pair that does not (one file of two is new, say) goes to `onRefused` and is
 * looked at again with the next change.
 */
export function watchTlsFiles(
  files: TlsFiles,
  options: {
    readonly now: () => number;
    readonly onChange: (identity: TlsIdentity) => void;
    readonly onRefused: (error: Error) => void;
    readonly everyMs?: number;
  },
): Disposable {
  const paths = [files.certificate, files.key];
  const look = (): void => {
    let identity: TlsIdentity;
    try {
      identity = readTlsFiles(files, options.now());
    } catch (error) {
      options.onRefused(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    options.onChange(identity);
  };
  for (const path of paths) watchFile(path, { interval: options.everyMs ?? LOOK_MS, persistent: false }, look);
  return toDisposable(() => {
    for (const path of paths) unwatchFile(path, look);
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, { cause: error });
  }
}

function attempt<T>(path: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${path} holds ${what}`, { cause: error });
  }
}

function namesOf(leaf: X509Certificate): string[] {
  const names = (leaf.subjectAltName ?? '').split(', ').flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name === undefined ? [] : [name];
  });
  return names;
}
