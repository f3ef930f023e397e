import { fcPath, type FcClient } from '../api/fc-client.ts';
import { type FunctionShape, homeOf } from '../api/fc-shapes.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { runActions } from '../manifest/actions.ts';
import { functionPlan, type Home } from '../manifest/function-plan.ts';
import type { Manifest, Resource } from '../manifest/manifest.ts';
import { resolveVariables, type VariableSources } from '../manifest/variables.ts';
import { runSteps } from '../terminal/progress.ts';
import { ensureAutoRole } from './auto-role.ts';
import { Deployment } from './deployment.ts';
import type { Deployed, FunctionPlan } from './plan.ts';

/** Resources of a manifest that were deployed, with the plans that they came from. */
export interface ManifestOutcome {
  readonly deployed: readonly Deployed[];
  readonly plans: readonly FunctionPlan[];
  readonly notes: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Values of a manifest, resolved resource by resource because later ones may use what earlier ones became. */
export class ManifestValues {
  readonly home: Home;
  private readonly manifest: Manifest;
  private readonly sources: VariableSources;
  private readonly outputs: Record<string, unknown> = {};

  constructor(manifest: Manifest, home: Home, context: Context) {
    this.manifest = manifest;
    this.home = home;
    const { key } = context.client.connection;
    const known: Readonly<Record<string, () => string>> = {
      AccountID: home.accountId,
      AccessKeyID: () => key.id,
      AccessKeySecret: () => key.secret,
    };
    this.sources = {
      folder: manifest.folder,
      env: context.env,
      vars: manifest.vars,
      props: Object.fromEntries(manifest.resources.map(({ name, props }) => [name, props])),
      outputs: this.outputs,
      config: (name) => {
        const value = known[name];
        if (value === undefined)
          throw usage(`\${config('${name}')} has no value: known are ${Object.keys(known).join(', ')}`);
        return value();
      },
    };
  }

  props(resource: Resource): Fields {
    return resolveVariables(resource.props, this.sources, resource.props) as Fields;
  }

  /** The name alone: other props may need what is no longer there. */
  functionName(resource: Resource): string {
    const name = resolveVariables(resource.props['functionName'], this.sources, resource.props);
    if (typeof name === 'string' && name !== '') return name;
    throw usage(`the resource '${resource.name}' has no functionName`);
  }

  actions(actions: Fields): Fields {
    // Keys such as pre-${regex('.')} are no variables.
    return Object.fromEntries(
      Object.entries(actions).map(([key, value]) => [key, resolveVariables(value, this.sources)]),
    );
  }

  plan(resource: Resource): FunctionPlan {
    return functionPlan(this.props(resource), this.manifest.folder, this.home);
  }

  /** From here on `${resources.NAME.output.x}` has values (FC reference 8.2, outputs). */
  became(resource: Resource, result: Deployed): void {
    const { url, intranetUrl, memorySize: memory } = result;
    this.outputs[resource.name] = {
      ...result,
      region: this.home.region,
      memory,
      url: { system_url: url ?? '', system_intranet_url: intranetUrl ?? '', custom_domain: '' },
    };
  }
}

/** Deploys every resource in order. Stops at the first that fails; what was deployed before it stays. */
export async function deployManifest(context: Context, manifest: Manifest): Promise<ManifestOutcome> {
  const values = new ManifestValues(manifest, await platformHome(context.client), context);
  const outcome: { deployed: Deployed[]; plans: FunctionPlan[]; notes: string[] } = {
    deployed: [],
    plans: [],
    notes: [],
  };
  const { folder } = manifest;
  const around = async (actions: Fields, work: () => Promise<void>): Promise<void> => {
    const steps = values.actions(actions);
    try {
      await runActions(steps, 'pre', 'deploy', folder);
      await work();
    } catch (error) {
      await runActions(steps, 'fail', 'deploy', folder);
      await runActions(steps, 'complete', 'deploy', folder);
      throw error;
    }
    await runActions(steps, 'success', 'deploy', folder);
    await runActions(steps, 'complete', 'deploy', folder);
  };
  await around(manifest.actions, async () => {
    for (const resource of manifest.resources) {
      await around(resource.actions, () => deployResource(context, values, resource, outcome));
    }
  });
  return outcome;
}

async function deployResource(
  context: Context,
  values: ManifestValues,
  resource: Resource,
  outcome: { deployed: Deployed[]; plans: FunctionPlan[]; notes: string[] },
): Promise<void> {
  if (resource.component === 'fc3-domain') {
    const { region: _region, ...body } = values.props(resource);
    await context.client.call('CreateCustomDomain', 'POST', fcPath`/custom-domains`, { body });
    return;
  }
  const plan = await withRole(context.client, values.plan(resource));
  for (const note of plan.notes) context.output.note(`note: ${resource.name}: ${note}`);
  outcome.notes.push(...plan.notes.map((note) => `${resource.name}: ${note}`));
  const deployment = new Deployment(context.client, plan);
  await runSteps(context.output, deployment.steps());
  const result = await deployment.outcome();
  values.became(resource, result);
  outcome.deployed.push(result);
  outcome.plans.push(plan);
}

async function withRole(client: FcClient, plan: FunctionPlan): Promise<FunctionPlan> {
  if (plan.config['role'] !== 'auto') return plan;
  return { ...plan, config: { ...plan.config, role: await ensureAutoRole(client) } };
}

/** Region and account: as configured, else as the names of existing functions show them. */
export async function platformHome(client: FcClient): Promise<Home> {
  const { region, accountId } = client.connection;
  if (region !== undefined && accountId !== undefined) return { region, accountId: () => accountId };
  const page = await client.call<{ functions?: readonly FunctionShape[] }>('ListFunctions', 'GET', fcPath`/functions`, {
    query: { limit: '1' },
  });
  const [first] = page.functions ?? [];
  const home = first === undefined ? undefined : homeOf(first.functionArn);
  return {
    region: region ?? home?.region ?? 'local',
    accountId: () => {
      const found = accountId ?? home?.accountId;
      if (found !== undefined) return found;
      throw usage('the account id is needed here and not known', 'Set TIDEMILL_ACCOUNT_ID; `tidemill up` prints it.');
    },
  };
}
