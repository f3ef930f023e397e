export { createFcDoor, type FcDoor } from './door.ts';
export type { FcDoorDeps } from './operation.ts';
