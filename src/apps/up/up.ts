import { mkdirSync, realpathSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type Installation, openInstallation } from '../../adapters/installation-file/index.ts';
import { isLoopback } from '../../adapters/listen-socket/index.ts';
import { createStreamLogger, logLevelOf } from '../../adapters/logger-stream/index.ts';
import { readTlsFiles } from '../../adapters/tls-files/index.ts';
import type { Logger } from '../../core/base/log.ts';
import { SupervisedChild } from './child.ts';
import { type ClientProfile, profilePath, writeProfile } from './client-profile.ts';
import { announce } from './ready.ts';
import { openRunDir, removeRunDir } from './run-dir.ts';
import { claimDataFolder } from './single.ts';
import { openSockets, type Sockets } from './sockets.ts';
import { checkTuning, UsageError, type UpSettings } from './settings.ts';

const DEFAULT_REGION = 'local';
const SERVER_GRACE_MS = 35_000;
const AGENT_GRACE_MS = 100_000;
const AGENT_START_MS = 30_000;
const PACKAGE_ROOT = join(import.meta.dirname, '../../..');

/**
 * Starts server and agent, tells when they serve, starts again whichever ends, and ends both in order on SIGTERM or SIGINT.
 * Holds the listening sockets, so that a server that is restarted refuses no connection. Resolves when all has ended.
 */
export async function up(settings: UpSettings): Promise<void> {
  const host = publicHost(settings);
  checkTuning(process.env.TIDEMILL_TUNING);
  mkdirSync(settings.data, { recursive: true, mode: 0o700 });
  const data = realpathSync(settings.data);
  const claim = await claimDataFolder(data);
  const installation = openInstallation(data, settings.region ?? DEFAULT_REGION);
  if (settings.region !== undefined && settings.region !== installation.region) {
    claim.dispose();
    throw new UsageError(
      `--region ${settings.region}: ${data} was made for region ${installation.region}, which is part of every name in it; leave the option out, or take another --data folder`,
    );
  }
  const logger = createStreamLogger({
    process: 'up',
    least: logLevelOf(process.env.TIDEMILL_LOG ?? 'warn'),
    write: (line) => process.stderr.write(line),
  });
  const sockets = await openSockets(settings, data).catch((error: unknown) => {
    claim.dispose();
    throw error;
  });
  try {
    await supervise({ settings, host, data, installation, logger, sockets });
  } finally {
    sockets.dispose();
    claim.dispose();
  }
}

/**
 * The host as clients write it: with TLS a name that the certificate is for. Throws UsageError when clients elsewhere would have to
 * speak plain HTTP, or the certificate cannot be used.
 */
function publicHost(settings: UpSettings): string {
  const { host, tls } = settings;
  if (tls === undefined) {
    if (isLoopback(host)) return host;
    throw new UsageError(
      `--host ${host}: listening beyond this machine needs TLS: give --tls-cert and --tls-key, or keep 127.0.0.1 and put a proxy that ends TLS before it`,
    );
  }
  try {
    const { names } = readTlsFiles(tls, Date.now());
    return names.includes(host) ? host : (names.find((name) => !name.startsWith('*.')) ?? host);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

interface Site {
  readonly settings: UpSettings;
  /** As clients write it. */
  readonly host: string;
  readonly data: string;
  readonly installation: Installation;
  readonly logger: Logger;
  readonly sockets: Sockets;
}

async function supervise(site: Site): Promise<void> {
  const runDir = openRunDir(site.data);
  const ready = new Set<string>();
  let announced = false;
  const over = Promise.withResolvers<number>();
  const open = openProfile(site);
  const profile = localProfile(site) ?? open;
  const onReady = (name: string) => (message: unknown) => {
    if (!isReady(message)) return;
    ready.add(name);
    if (ready.size < 2 || announced) return;
    announced = true;
    writeProfile(profilePath(process.env), profile);
    announce(open, {
      local: site.sockets.local === undefined ? undefined : profile,
      json: site.settings.json,
      isolation: site.settings.isolation,
      data: site.data,
    });
  };
  const hopeless = (name: string) => () => {
    process.exitCode = 1;
    site.logger.log('error', `the ${name} cannot start; see its message above`);
    over.resolve(1);
  };
  const agent = new SupervisedChild({
    name: 'agent',
    entry: entryOf('agent'),
    args: agentArguments(site, runDir),
    env: childEnvironment(),
    logger: site.logger,
    onMessage: onReady('agent'),
    onHopeless: hopeless('agent'),
  });
  const server = new SupervisedChild({
    name: 'server',
    entry: entryOf('server'),
    args: serverArguments(site, runDir),
    descriptors: [site.sockets.open, ...(site.sockets.local === undefined ? [] : [site.sockets.local])].flatMap(
      ({ api, objects }) => [api.descriptor, objects.descriptor],
    ),
    env: childEnvironment(),
    logger: site.logger,
    onMessage: onReady('server'),
    onHopeless: hopeless('server'),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => over.resolve(0));
  agent.start();
  server.start();
  await over.promise;
  // While instances end, the server is there for their last words and for what their hooks still want to do.
  await server.finish(SERVER_GRACE_MS);
  const inOrder = await endInstances(agent);
  await server.end(SERVER_GRACE_MS);
  if (inOrder) removeRunDir(runDir);
}

/**
 * Ends the agent, and with it every instance. An agent that was just killed is brought up once more for it, so that nothing
 * stays on the host whatever happened before.
 */
async function endInstances(agent: SupervisedChild): Promise<boolean> {
  for (let tries = 0; tries < 3; tries++) {
    const served = await agent.serving(AGENT_START_MS);
    if (await agent.end(AGENT_GRACE_MS)) return true;
    if (!served) return false;
  }
  return false;
}

function isReady(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}

function serverArguments(site: Site, runDir: string): string[] {
  const { settings } = site;
  const args = ['--data', site.data, '--run-dir', runDir, '--api-fd', '4', '--objects-fd', '5', '--host', site.host];
  if (settings.tls !== undefined) {
    args.push('--tls-cert', settings.tls.certificate, '--tls-key', settings.tls.key);
    args.push('--local-api-fd', '6', '--local-objects-fd', '7');
  }
  args.push('--package-root', PACKAGE_ROOT, '--master-key', masterKeyOf(site));
  if (settings.domain !== undefined) args.push('--domain', settings.domain);
  return args;
}

function agentArguments(site: Site, runDir: string): string[] {
  const { settings, sockets } = site;
  const { api, objects } = sockets.local ?? sockets.open;
  const host = sockets.local === undefined ? settings.host : '127.0.0.1';
  const args = ['--data', site.data, '--run-dir', runDir, '--isolation', settings.isolation, '--host', host];
  args.push('--api-port', String(api.port), '--objects-port', String(objects.port), '--package-root', PACKAGE_ROOT);
  args.push('--master-key', masterKeyOf(site));
  return args;
}

function masterKeyOf({ settings, data }: Site): string {
  return settings.masterKey ?? join(data, 'master.key');
}

/** Entry of a process beside this one: `.ts` when run from sources, `.js` when built. */
function entryOf(app: 'server' | 'agent'): string {
  return join(import.meta.dirname, '..', app, `main${extname(import.meta.filename)}`);
}

const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'TIDEMILL_LOG', 'TIDEMILL_TUNING'];

/**
 * Nothing of the caller's environment but what a process needs to run, and what TIDEMILL_PASS_ENV names (comma-separated; for
 * allocators, profilers and the like): functions never see any of it.
 */
function childEnvironment(): Record<string, string> {
  const env: Record<string, string> = { NODE_ENV: 'production', TIDEMILL_LOG: 'warn' };
  const further = (process.env.TIDEMILL_PASS_ENV ?? '').split(',').filter((name) => name !== '');
  for (const name of [...PASSED_ON, ...further]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** For clients anywhere. */
function openProfile(site: Site): ClientProfile {
  const host = site.host.includes(':') ? `[${site.host}]` : site.host;
  const base = `${site.settings.tls === undefined ? 'http' : 'https'}://${host}`;
  return { ...keysOf(site), ...endpoints(base, site.sockets.open) };
}

/** For clients on this machine, where it differs: they need not trust the certificate. */
function localProfile(site: Site): ClientProfile | undefined {
  const { local } = site.sockets;
  return local === undefined ? undefined : { ...keysOf(site), ...endpoints('http://127.0.0.1', local) };
}

function endpoints(
  base: string,
  { api, objects }: Sockets['open'],
): Pick<ClientProfile, 'endpoint' | 'objectsEndpoint'> {
  return { endpoint: `${base}:${api.port}`, objectsEndpoint: `${base}:${objects.port}` };
}

function keysOf({ installation }: Site): Omit<ClientProfile, 'endpoint' | 'objectsEndpoint'> {
  const { accountId, region, accessKeyId, accessKeySecret } = installation;
  return { accountId, region, accessKeyId, accessKeySecret };
}
