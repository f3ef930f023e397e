export { createHttpDoor, type HttpDoor, type HttpDoorDeps } from './door.ts';
