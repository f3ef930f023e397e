import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AvailableRuntime } from '../../core/domain/runtime.ts';

/** How the first process of a runtime is started: arguments, environment, and the host's folders it needs inside. */
interface Launch {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly boot: readonly { readonly source: string; readonly target: string }[];
}

interface LocalRuntime extends AvailableRuntime {
  readonly launch: Launch;
}

/** Where the platform's parts appear inside a sandbox. */
const INSIDE = '/var/tidemill';
const PYTHON = '/usr/bin/python3';
const PYTHON_IDS = ['python3.10', 'python3.11', 'python3.12'];
const CUSTOM_IDS = ['custom', 'custom.debian10', 'custom.debian11', 'custom.debian12'];

/** The function runtimes that this machine has. */
export class LocalRuntimes {
  private readonly byId: ReadonlyMap<string, LocalRuntime>;

  constructor(runtimes: readonly LocalRuntime[]) {
    this.byId = new Map(runtimes.map((runtime) => [runtime.id, runtime]));
  }

  /** Ids with a statement of what really runs. */
  available(): readonly AvailableRuntime[] {
    return [...this.byId.values()].map(({ id, mapsTo }) => ({ id, mapsTo }));
  }

  /** Undefined: not on this machine. */
  launch(id: string): Launch | undefined {
    return this.byId.get(id)?.launch;
  }
}

/**
 * Looks at what is installed: Node versions that set-up brought below `packageRoot`, and the machine's own Python. Function
 * Compute's Python versions are mapped on the one that is there; its Debian variants of `custom` on this host's system files.
 */
export function findLocalRuntimes(packageRoot: string): LocalRuntimes {
  const runtimes: LocalRuntime[] = [];
  for (const major of ['20', '22', '24']) {
    const found = nodeRuntime(packageRoot, major);
    if (found !== undefined) runtimes.push(found);
  }
  const python = pythonVersion();
  if (python !== undefined) {
    for (const id of PYTHON_IDS) runtimes.push(pythonRuntime(packageRoot, id, python));
  }
  for (const id of CUSTOM_IDS) {
    runtimes.push({ id, mapsTo: "this machine's own system files", launch: { args: [], env: {}, boot: [] } });
  }
  return new LocalRuntimes(runtimes);
}

function nodeRuntime(packageRoot: string, major: string): LocalRuntime | undefined {
  const folder = join(packageRoot, 'runtimes/node/versions', major, 'node_modules', `node-linux-${process.arch}`);
  if (!existsSync(join(folder, 'bin/node'))) return undefined;
  return {
    id: `nodejs${major}`,
    mapsTo: `Node.js ${major} from npm`,
    launch: {
      args: [`${INSIDE}/node/bin/node`, `${INSIDE}/shim/shim.cjs`],
      env: {},
      boot: [
        { source: join(folder, 'bin'), target: `${INSIDE}/node/bin` },
        { source: join(packageRoot, 'runtimes/node'), target: `${INSIDE}/shim` },
      ],
    },
  };
}

function pythonRuntime(packageRoot: string, id: string, version: string): LocalRuntime {
  return {
    id,
    mapsTo: `this machine's Python ${version}`,
    launch: {
      args: [PYTHON, '-B', `${INSIDE}/shim/shim.py`],
      env: {},
      boot: [{ source: join(packageRoot, 'runtimes/python'), target: `${INSIDE}/shim` }],
    },
  };
}

function pythonVersion(): string | undefined {
  try {
    const program = 'import sys; print(sys.version.split()[0])';
    return execFileSync(PYTHON, ['-S', '-c', program], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } }).trim();
  } catch {
    return undefined; // no Python on this machine: its runtimes are not offered
  }
}
