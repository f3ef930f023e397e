export { createDispatch, type DispatchDeps } from './dispatch.ts';
