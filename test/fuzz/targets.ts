import { documentTargets } from './documents.fuzz.ts';
import { httpTargets } from './http.fuzz.ts';
import { streamTargets } from './streams.fuzz.ts';
import type { FuzzTarget } from './target.ts';

/** Every parser that is fuzzed. */
export const TARGETS: readonly FuzzTarget[] = [...httpTargets, ...documentTargets, ...streamTargets];
