import { closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ociConfig } from './bundle.ts';
import type { Cgroups } from './cgroups.ts';
import { runCommand } from './command.ts';
import { makeLink, linkFolder, shownLink } from './gvisor-link.ts';
import { callOf, failureIn, findCommand, type OciCommand, type OciName } from './oci-command.ts';
import type { RootSkeletons } from './root-skeleton.ts';
import type { SeccompProfile } from './seccomp-profile.ts';
import { runscCall } from './runsc.ts';
import { detach, listenUnix } from './syscalls.ts';

const PROBE_TIMEOUT_MS = 10_000;
const PROBE_LIMITS = { memoryMb: 128, cpu: 1, pids: 64 };

export interface ProbeInput {
  readonly runDir: string;
  readonly cgroups: Cgroups;
  readonly skeletons: RootSkeletons;
  readonly seccomp: SeccompProfile;
  readonly idBase: number;
  /** Where to look for the commands; default: where hosts keep them. */
  readonly commandFolders?: readonly string[] | undefined;
  /** How long a command may take; default 10 s. */
  readonly timeoutMs?: number;
}

export type ProbeResult =
  | { readonly ok: true; readonly command: OciCommand }
  | { readonly ok: false; readonly reason: string };

/**
 * Finds out whether a runtime command works on this host by running a bundle of exactly the kind that functions get,
 * with a listening socket as descriptor 3. Takes at most 10 s and leaves nothing behind.
 */
export async function probe(name: OciName, input: ProbeInput): Promise<ProbeResult> {
  const found = await findCommand(name, input.commandFolders);
  if (found === undefined) return { ok: false, reason: `${name} is not installed` };
  const gvisor = name === 'runsc';
  const timeoutMs = input.timeoutMs ?? PROBE_TIMEOUT_MS;
  const id = `probe-${name}-${process.pid}`;
  const folder = join(input.runDir, id);
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['etc', 'code', 'opt', 'tmp']) mkdirSync(join(folder, part), { recursive: true, mode: 0o711 });
  if (gvisor) {
    makeLink(folder, input.idBase);
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(probeConfig(id, folder, input, gvisor)));
  const listener = listenUnix(join(folder, 's'), 1);
  const logFile = join(folder, 'oci.log');
  try {
    const call = gvisor ? await runscCall(found.file, folder, { network: 'none', timeoutMs }) : undefined;
    const command = call === undefined ? found : { ...found, call };
    const [file, args] = callOf(command, [
      ...['--root', join(folder, 'state'), '--log', logFile, '--log-format', 'json'],
      ...['run', '--bundle', folder, ...(gvisor ? [] : ['--preserve-fds', '1']), id],
    ]);
    const result = await runCommand(file, args, gvisor ? { timeoutMs } : { timeoutMs, descriptor: listener });
    if (result.code === 0) return { ok: true, command: found };
    const said = failureIn(logFile) ?? (result.output || `exit code ${result.code}`);
    return { ok: false, reason: `${found.version} does not work here: ${said}` };
  } finally {
    closeSync(listener);
    await input.cgroups.remove(id);
    if (gvisor) detach(linkFolder(folder));
    rmSync(folder, { recursive: true, force: true });
  }
}

function probeConfig(id: string, folder: string, input: ProbeInput, gvisor: boolean): object {
  return ociConfig({
    rootPath: input.skeletons.pathFor([]),
    args: ['/bin/sh', '-c', 'test -L /proc/self/fd/3'],
    env: {},
    cwd: '/',
    hostname: 'probe',
    hostId: input.idBase,
    network: undefined,
    cgroupsPath: input.cgroups.pathOf(id),
    resources: input.cgroups.resources(PROBE_LIMITS),
    seccomp: input.seccomp,
    openFiles: 1024,
    etcPath: join(folder, 'etc'),
    tmpPath: join(folder, 'tmp'),
    codePath: join(folder, 'code'),
    optPath: join(folder, 'opt'),
    boot: [],
    init: false,
    gvisor: gvisor ? { link: shownLink(folder), listen: true } : undefined,
  });
}

/** The first of the wanted commands that works, and why each before it does not. */
export async function firstWorking(
  wanted: readonly OciName[],
  input: ProbeInput,
): Promise<{ readonly command: OciCommand | undefined; readonly refused: readonly string[] }> {
  const refused: string[] = [];
  for (const name of wanted) {
    const result = await probe(name, input);
    if (result.ok) return { command: result.command, refused };
    refused.push(result.reason);
  }
  return { command: undefined, refused };
}
