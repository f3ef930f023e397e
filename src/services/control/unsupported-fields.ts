import { isNeutral, isRecord, type FieldReader } from './fields.ts';

/** Empty when there is nothing to mount, whatever user and group it names. */
function noMounts(value: unknown): boolean {
  return isNeutral(value) || (isRecord(value) && isNeutral(value.mountPoints));
}

/**
 * Fields of Function Compute that this platform does not have: refused by name, unless they carry the empty value that clients send
 * to clear or leave out (FC reference 3.1).
 */
export function refuseUnsupported(reader: FieldReader): void {
  reader.refuse('vpcConfig', 'Leave it out: instances reach the internet directly when internetAccess is on.');
  reader.refuse('nasConfig', 'Leave it out and use the object store, or /tmp for scratch files.', noMounts);
  reader.refuse('ossMountConfig', 'Leave it out and read the objects through the object store API.', noMounts);
  reader.refuse('polarFsConfig', 'Leave it out and use the object store.', noMounts);
  reader.refuse('juiceFsConfig', 'Leave it out and use the object store.', noMounts);
  reader.refuse('gpuConfig', 'Leave it out: this platform has no GPUs.');
  reader.refuse('customContainerConfig', "Use the runtime 'custom.debian12' and pack the program as a zip.");
  reader.refuse('tracingConfig', 'Leave it out, or send traces from the function itself.');
  reader.refuse('enableLongLiving', 'Leave it out or send false; use idleTimeout to keep idle instances longer.');
}
