/**
 * Where things are kept in the metadata store. Numbers are padded so that byte order is their order.
 *
 *   f/ACCOUNT/FUNCTION                 head of a function; the authority on whether it exists
 *   v/ACCOUNT/FUNCTION/NUMBER          published version
 *   a/ACCOUNT/FUNCTION/ALIAS           alias
 *   t/ACCOUNT/FUNCTION/TRIGGER         trigger
 *   e/ACCOUNT/FUNCTION/QUALIFIER       async invoke config
 *   c/ACCOUNT/FUNCTION                 marks functions with a concurrency config, for listing
 *   s/ACCOUNT/FUNCTION/QUALIFIER       config of reserved instances
 *   l/ACCOUNT/LAYER/NUMBER             layer version
 *   m/ACCOUNT/LAYER                    head of a layer: last number, access
 *   d/PREFIX                           domain prefix of an HTTP trigger -> the trigger
 *   b/BUCKET                           object trigger rules of a bucket, for overlap
 *   r/ACCOUNT/DIGEST/KEY               the document KEY needs the blob ACCOUNT/DIGEST
 *   p/ID                               work begun and to be finished or undone after a crash
 */
const WIDTH = 10;

function padded(number: string | number): string {
  return String(number).padStart(WIDTH, '0');
}

export const keys = {
  functionsOf: (account: string) => `f/${account}/`,
  versionsOf: (account: string) => `v/${account}/`,
  layersOf: (account: string) => `l/${account}/`,
  function: (account: string, name: string) => `f/${account}/${name}`,
  versions: (account: string, name: string) => `v/${account}/${name}/`,
  version: (account: string, name: string, versionId: string) => `v/${account}/${name}/${padded(versionId)}`,
  aliases: (account: string, name: string) => `a/${account}/${name}/`,
  alias: (account: string, name: string, alias: string) => `a/${account}/${name}/${alias}`,
  triggers: (account: string, name: string) => `t/${account}/${name}/`,
  trigger: (account: string, name: string, trigger: string) => `t/${account}/${name}/${trigger}`,
  asyncConfigsOf: (account: string) => `e/${account}/`,
  asyncConfigs: (account: string, name: string) => `e/${account}/${name}/`,
  asyncConfig: (account: string, name: string, qualifier: string) => `e/${account}/${name}/${qualifier}`,
  concurrency: (account: string, name: string) => `c/${account}/${name}`,
  concurrencyOf: (account: string) => `c/${account}/`,
  reservedAll: 's/',
  reservedOf: (account: string) => `s/${account}/`,
  reservedOfFunction: (account: string, name: string) => `s/${account}/${name}/`,
  reserved: (account: string, name: string, qualifier: string) => `s/${account}/${name}/${qualifier}`,
  layerVersions: (account: string, layer: string) => `l/${account}/${layer}/`,
  layerVersion: (account: string, layer: string, version: number) => `l/${account}/${layer}/${padded(version)}`,
  layer: (account: string, layer: string) => `m/${account}/${layer}`,
  domain: (prefix: string) => `d/${prefix}`,
  bucket: (bucket: string) => `b/${bucket}`,
  reference: (blob: string, owner: string) => `r/${blob}/${owner}`,
  pending: (id: string) => `p/${id}`,
} as const;

/** Account and function that a key belongs to. Only for keys of kinds f, v, a, t, e, c and s. */
export function functionOfKey(key: string): { account: string; name: string } {
  const [, account = '', name = ''] = key.split('/');
  return { account, name };
}
