import { fcPath, type FcClient } from '../api/fc-client.ts';
import type { ExtraConfig } from './plan.ts';

/** Sends one setting beside the function. What the platform does not have, it refuses by name. */
export async function sendExtra(client: FcClient, name: string, extra: ExtraConfig): Promise<undefined> {
  const { kind, body, qualifier } = extra;
  const query = { qualifier };
  switch (kind) {
    case 'asyncInvokeConfig':
      await client.call('PutAsyncInvokeConfig', 'PUT', fcPath`/functions/${name}/async-invoke-config`, { query, body });
      return;
    case 'concurrencyConfig':
      await client.call('PutConcurrencyConfig', 'PUT', fcPath`/functions/${name}/concurrency`, { body });
      return;
    case 'provisionConfig':
      await client.call('PutProvisionConfig', 'PUT', fcPath`/functions/${name}/provision-config`, { query, body });
      return;
    case 'scalingConfig':
      await client.call('PutScalingConfig', 'PUT', fcPath`/functions/${name}/scaling-config`, { query, body });
      return;
    case 'vpcBinding':
      await client.call('CreateVpcBinding', 'POST', fcPath`/functions/${name}/vpc-bindings`, { body });
      return;
    case 'customDomain':
      await client.call('CreateCustomDomain', 'POST', fcPath`/custom-domains`, { body: domainBody(name, body) });
  }
}

/** A function's own `customDomain` with its one route, as the API takes it. */
function domainBody(
  functionName: string,
  config: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { route, ...rest } = config;
  if (typeof route !== 'object' || route === null) return rest;
  return { ...rest, routeConfig: { routes: [{ path: '/*', ...route, functionName }] } };
}
