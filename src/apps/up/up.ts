import { mkdirSync, realpathSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type Installation, openInstallation } from '../../adapters/installation-file/index.ts';
import { isLoopback, type ListenSocket, openListenSocket } from '../../adapters/listen-socket/index.ts';
import { createStreamLogger, logLevelOf } from '../../adapters/logger-stream/index.ts';
import type { Logger } from '../../core/base/log.ts';
import { SupervisedChild } from './child.ts';
import { type ClientProfile, profilePath, writeProfile } from './client-profile.ts';
import { announce } from './ready.ts';
import { openRunDir, removeRunDir } from './run-dir.ts';
import { claimDataFolder } from './single.ts';
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
  if (!isLoopback(settings.host)) {
    throw new UsageError(
      `--host ${settings.host}: listening beyond this machine needs TLS, which is not supported yet; keep 127.0.0.1 and put a proxy that ends TLS before it`,
    );
  }
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
  const api = await openListenSocket(settings.host, settings.port);
  const objects = await openListenSocket(settings.host, settings.objectsPort);
  try {
    await supervise({ settings, data, installation, logger, api, objects });
  } finally {
    api.dispose();
    objects.dispose();
    claim.dispose();
  }
}

interface Site {
  readonly settings: UpSettings;
  readonly data: string;
  readonly installation: Installation;
  readonly logger: Logger;
  readonly api: ListenSocket;
  readonly objects: ListenSocket;
}

async function supervise(site: Site): Promise<void> {
  const runDir = openRunDir(site.data);
  const ready = new Set<string>();
  let announced = false;
  const over = Promise.withResolvers<number>();
  const profile = profileOf(site);
  const onReady = (name: string) => (message: unknown) => {
    if (!isReady(message)) return;
    ready.add(name);
    if (ready.size < 2 || announced) return;
    announced = true;
    writeProfile(profilePath(process.env), profile);
    announce(profile, { json: site.settings.json, isolation: site.settings.isolation, data: site.data });
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
    descriptors: [site.api.descriptor, site.objects.descriptor],
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
  const args = [
    '--data',
    site.data,
    '--run-dir',
    runDir,
    '--api-fd',
    '4',
    '--objects-fd',
    '5',
    '--host',
    settings.host,
  ];
  args.push('--package-root', PACKAGE_ROOT);
  if (settings.domain !== undefined) args.push('--domain', settings.domain);
  return args;
}

function agentArguments(site: Site, runDir: string): string[] {
  const { settings, api, objects } = site;
  const args = ['--data', site.data, '--run-dir', runDir, '--isolation', settings.isolation, '--host', settings.host];
  args.push('--api-port', String(api.port), '--objects-port', String(objects.port), '--package-root', PACKAGE_ROOT);
  return args;
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

function profileOf(site: Site): ClientProfile {
  const { installation, settings } = site;
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return {
    endpoint: `http://${host}:${site.api.port}`,
    objectsEndpoint: `http://${host}:${site.objects.port}`,
    accountId: installation.accountId,
    region: installation.region,
    accessKeyId: installation.accessKeyId,
    accessKeySecret: installation.accessKeySecret,
  };
}
