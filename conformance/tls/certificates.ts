import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface Made {
  readonly certificate: string;
  readonly key: string;
}

/** Makes a self-signed certificate for the names (`DNS:a` or `IP:1.2.3.4`) with the openssl of the machine. */
export function makeCertificate(folder: string, name: string, names: readonly string[], days = 30): Made {
  const made = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const what = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const where = ['-keyout', made.key, '-out', made.certificate, '-days', String(days)];
  const who = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names.join(',')}`];
  execFileSync('openssl', [...what, ...where, ...who], { stdio: 'ignore' });
  return made;
}
