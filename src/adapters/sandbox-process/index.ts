export { createProcessRuntime, type ProcessRuntime, type ProcessRuntimeOptions } from './runtime.ts';
