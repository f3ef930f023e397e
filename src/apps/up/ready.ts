import type { ClientProfile } from './client-profile.ts';

/** Says on stdout that the platform serves: one JSON line for programs, a few lines for people. */
export function announce(
  profile: ClientProfile,
  options: {
    /** Where clients on this machine are served without TLS, if that is elsewhere. */
    readonly local: ClientProfile | undefined;
    readonly json: boolean;
    readonly isolation: string;
    readonly data: string;
  },
): void {
  if (options.json) {
    const { local } = options;
    const { endpoint, objectsEndpoint, accountId, region, accessKeyId, accessKeySecret } = profile;
    const line = {
      event: 'ready',
      endpoint,
      accountId,
      region,
      accessKeyId,
      accessKeySecret,
      objects: { endpoint: objectsEndpoint },
      metrics: { url: `${endpoint}/tidemill/v1/metrics` },
      ...(local === undefined
        ? {}
        : { local: { endpoint: local.endpoint, objects: { endpoint: local.objectsEndpoint } } }),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const lines = [
    `Tidemill is serving ${options.data}`,
    '',
    `  API and triggers   ${profile.endpoint}`,
    `  objects            ${profile.objectsEndpoint}`,
    `  metrics            ${profile.endpoint}/tidemill/v1/metrics`,
    ...(options.local === undefined
      ? []
      : [`  on this machine    ${options.local.endpoint}, objects ${options.local.objectsEndpoint}`]),
    `  account, region    ${profile.accountId}, ${profile.region}`,
    `  access key id      ${profile.accessKeyId}   (the secret is in installation.json of the data folder)`,
    `  isolation          ${options.isolation}`,
    '',
    'The command line on this machine is set up for it. Try:  tidemill deploy examples/hello-node',
    'Ctrl-C ends it; running calls finish first.',
    '',
  ];
  if (options.isolation === 'process') {
    lines.splice(1, 0, '', '  WARNING: --isolation process does not confine functions at all. Run only your own code.');
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
