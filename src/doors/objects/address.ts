/** What a request is about: the service (no bucket), a bucket (no key) or an object. */
export interface Address {
  readonly bucket?: string;
  readonly key?: string;
}

/**
 * Hosts that serve this door. `name` stands for itself in path style and for `BUCKET.name`; `*.name` stands for
 * `BUCKET.<anything>.name`. The last one is what ali-oss sends in the Host header when its endpoint is an IP address.
 */
export const DEFAULT_BASE_HOSTS: readonly string[] = [
  'localhost',
  'objects.localhost',
  'oss.localhost',
  's3.localhost',
  '*.localhost',
  '*.aliyuncs.com',
];

/**
 * The ways to read host and path, likeliest first. Virtual host and path style look alike to a server (bucket `a`, key
 * `b/c` against bucket `b`, key `c` under host `a`), so the second reading is kept: OSS signatures tell which was meant.
 */
export function addressCandidates(host: string, path: string, baseHosts: readonly string[]): readonly Address[] {
  const bucket = bucketOfHost(host, baseHosts);
  return bucket === undefined ? [pathStyle(path)] : [virtualHost(bucket, path), pathStyle(path)];
}

function virtualHost(bucket: string, path: string): Address {
  return path.length > 1 ? { bucket, key: path.slice(1) } : { bucket };
}

function pathStyle(path: string): Address {
  const slash = path.indexOf('/', 1);
  const bucket = slash === -1 ? path.slice(1) : path.slice(1, slash);
  if (bucket === '') return {};
  const key = slash === -1 ? '' : path.slice(slash + 1);
  return key === '' ? { bucket } : { bucket, key };
}

function bucketOfHost(host: string, baseHosts: readonly string[]): string | undefined {
  if (host === '' || baseHosts.includes(host)) return undefined;
  const longestFirst = baseHosts.toSorted((a, b) => b.length - a.length);
  for (const base of longestFirst) {
    const anyBetween = base.startsWith('*.');
    const suffix = anyBetween ? base.slice(1) : `.${base}`;
    if (!host.endsWith(suffix)) continue;
    const before = host.slice(0, -suffix.length);
    if (!anyBetween) {
      // Under a plain base, dots belong to the bucket's name only if no wildcard says otherwise.
      if (before.includes('.') && baseHosts.includes(`*.${base}`)) continue;
      return before;
    }
    const dot = before.indexOf('.');
    if (dot > 0) return before.slice(0, dot);
  }
  return undefined;
}
