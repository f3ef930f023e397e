import { parseArgs } from 'node:util';
import { type EgressLists, parseEgressLists } from '../../adapters/sandbox-oci/index.ts';
import { LIMITS } from '../../core/domain/limits.ts';

/** Numbers of an agent that an operator may turn; every one has a default that suits one machine. */
export interface AgentTuning {
  /** Booted runtimes kept for every runtime used lately. 0 switches the pool off. */
  readonly poolDepth: number;
  /** Booted runtimes kept together, at most. */
  readonly poolMembers: number;
  /** Per cent of the machine's memory that they may take. */
  readonly poolMemoryPercent: number;
  /** Runtime ids that are kept ready though nobody uses them, one each. */
  readonly poolAlways: readonly string[];
  /**
   * Sandboxes without a runtime kept for every kind used lately: custom runtimes, and functions that change how their
   * runtime boots. A few MB each, of which the shell that waits is 1. 0 switches this level off.
   */
  readonly bareDepth: number;
  /** Such sandboxes kept together, at most. */
  readonly bareMembers: number;
  /** Memory promised to instances, as a multiple of the machine's own: most instances use less than they may. */
  readonly memoryOvercommit: number;
  /** Sandboxes made at the same time: more than CPUs, since each waits for the kernel (groups, networks) most of its time. */
  readonly startsAtOnce: number;
  /** Bytes of disk for unpacked code. */
  readonly codeBytes: number;
  /** Connections that one instance may have at a time. */
  readonly connectionsPerInstance: number;
  /** Connections that one instance may open in a second; five seconds' worth may come at once. */
  readonly newConnectionsPerInstanceSecond: number;
  /** Questions that one instance may send to name servers in a second. */
  readonly lookupsPerInstanceSecond: number;
  /** Bytes a second that one instance may send beyond this machine, and as many that it may receive from there. */
  readonly bandwidthPerInstanceBytes: number;
}

/** What the agent process is told by whoever starts it (normally `tidemill up`). */
export interface AgentSettings {
  /** The data folder, absolute. */
  readonly data: string;
  /** The file of the master key, absolute. */
  readonly masterKey: string;
  /** Folder of sockets, journals and sandboxes: short, mode 0711, ours alone. */
  readonly runDir: string;
  readonly isolation: 'container' | 'gvisor' | 'process';
  /** Where the platform listens on this machine. */
  readonly host: string;
  readonly apiPort: number;
  readonly objectsPort: number;
  /** Root of the installed package: tells where the function runtimes are. */
  readonly packageRoot: string;
  readonly tuning: AgentTuning;
  /** Where instances of which account may go. */
  readonly egress: EgressLists;
}

const GIB = 1024 ** 3;

/** The kernel counts these in 32 bits, and what may come at once with them. */
const MOST: Readonly<Record<string, number>> = {
  connectionsPerInstance: 1_000_000,
  newConnectionsPerInstanceSecond: 1_000_000,
  lookupsPerInstanceSecond: 1_000_000,
  bandwidthPerInstanceBytes: 4_000_000_000,
};

/** Reads the command line of the agent and `TIDEMILL_TUNING`; throws on anything missing, malformed or unknown. */
export function readAgentSettings(args: readonly string[], tuning: string | undefined, cpus: number): AgentSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      'run-dir': { type: 'string' },
      isolation: { type: 'string' },
      host: { type: 'string' },
      'api-port': { type: 'string' },
      'objects-port': { type: 'string' },
      'package-root': { type: 'string' },
      'master-key': { type: 'string' },
    },
  });
  const required = (name: keyof typeof values): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`the agent needs --${name}`);
    return value;
  };
  const isolation = isolationOf(required('isolation'));
  return {
    data: required('data'),
    masterKey: required('master-key'),
    runDir: required('run-dir'),
    isolation,
    host: required('host'),
    apiPort: portOf('api-port', required('api-port')),
    objectsPort: portOf('objects-port', required('objects-port')),
    packageRoot: required('package-root'),
    tuning: readTuning(tuning, cpus),
    egress: readEgress(tuning, isolation),
  };
}

function isolationOf(text: string): AgentSettings['isolation'] {
  if (text === 'container' || text === 'gvisor' || text === 'process') return text;
  throw new Error(`--isolation ${text}: must be container, gvisor or process`);
}

function portOf(name: string, text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`--${name} ${text}: must be a port`);
  return port;
}

/**
 * `TIDEMILL_TUNING` is a JSON object; its member `agent` holds fields of `AgentTuning`, e.g.
 * `{"agent":{"poolDepth":8,"poolMembers":16}}`. An unknown field or a wrong type throws.
 */
export function readTuning(text: string | undefined, cpus: number): AgentTuning {
  const defaults: AgentTuning = {
    poolDepth: 2,
    poolMembers: 64,
    poolMemoryPercent: 5,
    poolAlways: ['nodejs20'],
    bareDepth: 2,
    bareMembers: 16,
    memoryOvercommit: 2,
    startsAtOnce: Math.max(4, cpus * 8),
    codeBytes: 20 * GIB,
    connectionsPerInstance: LIMITS.connectionsPerInstance,
    newConnectionsPerInstanceSecond: LIMITS.newConnectionsPerInstanceSecond,
    lookupsPerInstanceSecond: LIMITS.lookupsPerInstanceSecond,
    bandwidthPerInstanceBytes: LIMITS.bandwidthPerInstanceBytes,
  };
  if (text === undefined || text === '') return defaults;
  const parsed: unknown = JSON.parse(text);
  const given: unknown = isRecord(parsed) ? (parsed.agent ?? {}) : undefined;
  if (!isRecord(given)) throw new Error('TIDEMILL_TUNING must be a JSON object whose member "agent" is an object');
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) throw new Error(`TIDEMILL_TUNING: there is no setting agent.${name}`);
    const problem = problemOf(name, value);
    if (problem !== undefined) throw new Error(`TIDEMILL_TUNING: agent.${name} must be ${problem}`);
  }
  return { ...defaults, ...given };
}

/** The member `network` of `TIDEMILL_TUNING` (see `parseEgressLists`); refused where sandboxes have no network of their own. */
export function readEgress(text: string | undefined, isolation: AgentSettings['isolation']): EgressLists {
  const parsed: unknown = text === undefined || text === '' ? {} : JSON.parse(text);
  const given: unknown = isRecord(parsed) ? parsed.network : undefined;
  if (given !== undefined && isolation === 'process')
    throw new Error(
      'TIDEMILL_TUNING: network is not supported with --isolation process: functions share the network of the machine',
    );
  try {
    return parseEgressLists(given === undefined ? {} : given);
  } catch (error) {
    throw new Error(`TIDEMILL_TUNING: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** What the value should be instead; undefined when it is fine. */
function problemOf(name: string, value: unknown): string | undefined {
  if (name === 'poolAlways') {
    const fits = Array.isArray(value) && value.every((item) => typeof item === 'string');
    return fits ? undefined : 'a list of runtime ids';
  }
  if (name === 'memoryOvercommit') {
    return typeof value === 'number' && Number.isFinite(value) && value > 0 ? undefined : 'a number above 0';
  }
  const most = MOST[name];
  if (most !== undefined) {
    const fits = Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most;
    return fits ? undefined : `a whole number from 1 to ${most}`;
  }
  const least = name === 'startsAtOnce' ? 1 : 0;
  return Number.isSafeInteger(value) && Number(value) >= least ? undefined : `a whole number from ${least}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
