import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CustomDns } from '../../core/domain/function.ts';

/**
 * resolv.conf of a sandbox. Without a DNS configuration of its own: the gateway, which answers those with internet
 * access only; without that, none.
 */
export function resolvConf(dns: CustomDns | undefined, internetAccess: boolean, gateway: string): string {
  if (dns === undefined) return internetAccess ? `nameserver ${gateway}\n` : '';
  const lines = dns.nameServers.map((server) => `nameserver ${server}`);
  if (dns.nameServers.length === 0 && internetAccess) lines.push(`nameserver ${gateway}`);
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(' ')}`);
  const options = dns.dnsOptions.map((option) => (option.value ? `${option.name}:${option.value}` : option.name));
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** Writes resolv.conf in place: the running sandbox sees the same file. */
export function writeResolvConf(etcPath: string, text: string): void {
  writeFileSync(join(etcPath, 'resolv.conf'), text, { mode: 0o644 });
}

/** The folder that a sandbox finds at INSTANCE_ETC. */
export function writeNameFiles(etcPath: string, hostname: string, address: string, resolv: string): void {
  mkdirSync(etcPath, { mode: 0o755 });
  writeFileSync(join(etcPath, 'hosts'), `127.0.0.1 localhost\n${address} ${hostname}\n`, { mode: 0o644 });
  writeResolvConf(etcPath, resolv);
}
