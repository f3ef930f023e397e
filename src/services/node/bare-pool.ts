import type { FunctionConfig } from '../../core/domain/function.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { BareSandbox, BareSpec, SandboxRuntime } from '../../core/ports/sandbox.ts';
import type { LaunchTable } from './launch.ts';

/** Which sandboxes serve a runtime: all custom ones share a kind, the others need their own folders inside. Pure. */
export function bareKind(runtime: string): string {
  return isCustomRuntime(runtime) ? 'custom' : runtime;
}

/** A bare sandbox serves every start that needs nothing unusual when the sandbox is made. Pure. */
export function mayUseBare(config: FunctionConfig, defaultDiskMb: number): boolean {
  // A built-in runtime may look up names before its function is known: then its name servers have to be there already.
  return config.diskSize === defaultDiskMb && (isCustomRuntime(config.runtime) || config.customDns === undefined);
}

/** Makes one bare sandbox of a kind. Rejects where the tier cannot, or the machine does not have the runtime. */
export async function makeBare(
  parts: { readonly sandboxes: SandboxRuntime; readonly launch: LaunchTable },
  kind: string,
  spec: Pick<BareSpec, 'id' | 'limits' | 'diskMb'>,
): Promise<BareSandbox> {
  const launch = parts.launch(kind);
  if (launch === undefined) throw new Error(`this machine does not have the runtime ${kind}`);
  const listen = isCustomRuntime(kind) ? 'http' : 'frames';
  const made = parts.sandboxes.createBare?.({ ...spec, boot: launch.boot, listen, internetAccess: true });
  if (made === undefined) throw new Error(`the tier ${parts.sandboxes.tier} cannot make sandboxes ahead`);
  return made;
}
