export { createOpsDoor, type OpsDoor, type OpsDoorDeps } from './door.ts';
