import { isCustomRuntime } from './version-spec.ts';

type RuntimeFamily = 'nodejs' | 'python' | 'custom' | 'java' | 'php' | 'go' | 'dotnet' | 'container';

interface RuntimeRow {
  readonly family: RuntimeFamily;
  /** Whether Tidemill can run it at all; what a given machine has is the composition root's knowledge. */
  readonly here: boolean;
}

const YES = (family: RuntimeFamily): RuntimeRow => ({ family, here: true });
const NO = (family: RuntimeFamily): RuntimeRow => ({ family, here: false });

/** Every runtime id of Function Compute 3.0 (FC reference 3.2), and those of ours beyond it (nodejs22, nodejs24, python3.11). */
export const RUNTIMES: Readonly<Record<string, RuntimeRow>> = {
  nodejs20: YES('nodejs'),
  nodejs22: YES('nodejs'),
  nodejs24: YES('nodejs'),
  'python3.10': YES('python'),
  'python3.11': YES('python'),
  'python3.12': YES('python'),
  custom: YES('custom'),
  'custom.debian10': YES('custom'),
  'custom.debian11': YES('custom'),
  'custom.debian12': YES('custom'),
  nodejs8: NO('nodejs'),
  nodejs10: NO('nodejs'),
  nodejs12: NO('nodejs'),
  nodejs14: NO('nodejs'),
  nodejs16: NO('nodejs'),
  nodejs18: NO('nodejs'),
  'python2.7': NO('python'),
  python3: NO('python'),
  'python3.9': NO('python'),
  java8: NO('java'),
  java11: NO('java'),
  'php7.2': NO('php'),
  go1: NO('go'),
  'dotnetcore2.1': NO('dotnet'),
  'dotnetcore3.1': NO('dotnet'),
  'custom-container': NO('container'),
  'micro-sandbox': NO('container'),
};

/** One runtime id that this installation offers. */
export interface AvailableRuntime {
  readonly id: string;
  /** What really runs, for people: `Node.js 22.17.0`, `the machine's Python 3.11.2`. */
  readonly mapsTo: string;
}

/**
 * A handler's shape per runtime (FC reference 3.1): `file.method` with optional folders for built-in runtimes, anything for
 * custom ones. Python also takes dotted modules (`package.module.method`). Returns what is wrong, or undefined.
 */
export function handlerProblem(runtime: string, handler: string): string | undefined {
  if (isCustomRuntime(runtime)) return undefined;
  if (/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\s.\0][^\s\0]*\.[A-Za-z_$][A-Za-z0-9_$]*$/.test(handler)) return undefined;
  return `must have the form 'file.method', e.g. 'index.handler', without a leading '/' or '..'`;
}
