import { TidemillError } from '../../core/domain/errors.ts';
import type { BucketAcl, BucketDetails } from '../../core/ports/object-store.ts';
import { type Call, isoTime } from './call.ts';
import { readLimit } from './listing-operations.ts';
import { element, type Markup, parseXml, type XmlElement, xmlDocument } from './xml.ts';

/** The region as OSS writes it: `oss-<region>`. */
function location(call: Call): string {
  return call.dialect === 'oss' ? `oss-${call.options.region}` : call.options.region;
}

function owner(account: string): Markup {
  return element('Owner', [element('ID', account), element('DisplayName', account)]);
}

export async function listBuckets(call: Call): Promise<void> {
  const { request, dialect } = call;
  const names =
    dialect === 'oss'
      ? { limit: 'max-keys', after: 'marker', standard: 100 }
      : { limit: 'max-buckets', after: 'continuation-token', standard: 1000 };
  const limit = readLimit(request.param(names.limit), names.limit, names.standard, dialect);
  const prefix = request.param('prefix') ?? '';
  const after = request.param(names.after) ?? '';
  const found = await call.store.listBuckets(call.account, { prefix, after, limit: limit + 1 });
  const page = found.slice(0, limit);
  const next = found.length > limit ? page.at(-1)?.name : undefined;
  const buckets = element(
    'Buckets',
    page.map((bucket) => element('Bucket', bucketFields(call, bucket))),
  );
  if (dialect === 's3') {
    call.xml('ListAllMyBucketsResult', [
      owner(call.account),
      buckets,
      element('Prefix', prefix === '' ? undefined : prefix),
      element('ContinuationToken', next),
    ]);
    return;
  }
  call.xml('ListAllMyBucketsResult', [
    element('Prefix', prefix),
    element('Marker', after),
    element('MaxKeys', limit),
    element('IsTruncated', next !== undefined),
    element('NextMarker', next),
    owner(call.account),
    buckets,
  ]);
}

function bucketFields(call: Call, bucket: BucketDetails): Markup[] {
  const common = [element('Name', bucket.name), element('CreationDate', isoTime(bucket.createdAt))];
  if (call.dialect === 's3') return [...common, element('BucketRegion', location(call))];
  const host = call.request.header('host') ?? '';
  return [
    ...common,
    element('Location', location(call)),
    element('ExtranetEndpoint', host),
    element('IntranetEndpoint', host),
    element('StorageClass', 'Standard'),
  ];
}

export async function createBucket(call: Call): Promise<void> {
  const document = await call.body.text();
  if (document.trim() !== '') checkBucketConfiguration(call, document);
  const acl = readAcl(call);
  await call.store.createBucket(call.account, call.bucketName, acl);
  call.empty(200, { location: `/${call.bucketName}` });
}

/** Settings a bucket may be created with: those that are the case anyway. */
function checkBucketConfiguration(call: Call, document: string): void {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    LocationConstraint: [call.options.region, `oss-${call.options.region}`, ''],
    StorageClass: ['Standard', 'STANDARD'],
    DataRedundancyType: ['LRS'],
  };
  const configuration = parseXml(document, 'CreateBucketConfiguration');
  for (const name of configuration.childNames()) {
    const value = configuration.text(name) ?? '';
    if (Object.hasOwn(allowed, name) && allowed[name]?.includes(value)) continue;
    const remedy = Object.hasOwn(allowed, name) ? `Leave it out or use ${allowed[name]?.[0]}.` : 'Leave it out.';
    throw new TidemillError('NotSupported', `${name} "${value}" of a bucket is not supported`, { remedy });
  }
}

function readAcl(call: Call): BucketAcl | undefined {
  const value = call.ownHeader('acl');
  if (value === undefined) return undefined;
  if (value === 'private' || value === 'public-read' || value === 'public-read-write') return value;
  throw new TidemillError('NotSupported', `The bucket acl "${value}" is not supported`, {
    remedy: 'Use private, public-read or public-read-write.',
  });
}

export async function headBucket(call: Call): Promise<void> {
  call.empty(
    200,
    call.dialect === 's3' ? { 'x-amz-bucket-region': location(call) } : { 'x-oss-bucket-region': location(call) },
  );
}

export async function deleteBucket(call: Call): Promise<void> {
  await call.store.deleteBucket(call.bucketName);
  call.empty(204);
}

export async function bucketLocation(call: Call): Promise<void> {
  const namespace = call.dialect === 's3' ? ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' : '';
  call.document(xmlDocument(element('LocationConstraint', location(call), namespace)));
}

export async function bucketInfo(call: Call): Promise<void> {
  const { bucket } = call;
  call.xml('BucketInfo', [
    element('Bucket', [
      ...bucketFields(call, bucket),
      owner(bucket.account),
      element('AccessControlList', [element('Grant', bucket.acl)]),
      element('DataRedundancyType', 'LRS'),
      element('Versioning', undefined),
    ]),
  ]);
}

const ALL_USERS = 'http://acs.amazonaws.com/groups/global/AllUsers';
const INSTANCE = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

export async function bucketAcl(call: Call): Promise<void> {
  const { bucket, dialect } = call;
  const grants =
    dialect === 'oss'
      ? [element('Grant', bucket.acl)]
      : [
          grant(` ${INSTANCE} xsi:type="CanonicalUser"`, element('ID', bucket.account), 'FULL_CONTROL'),
          ...publicPermissions(bucket.acl).map((permission) =>
            grant(` ${INSTANCE} xsi:type="Group"`, element('URI', ALL_USERS), permission),
          ),
        ];
  call.xml('AccessControlPolicy', [owner(bucket.account), element('AccessControlList', grants)]);
}

function grant(attributes: string, grantee: Markup, permission: string): Markup {
  return element('Grant', [element('Grantee', [grantee], attributes), element('Permission', permission)]);
}

function publicPermissions(acl: BucketAcl): readonly string[] {
  if (acl === 'private') return [];
  return acl === 'public-read' ? ['READ'] : ['READ', 'WRITE'];
}

export async function putBucketAcl(call: Call): Promise<void> {
  const document = await call.body.text();
  if (document.trim() !== '') refuseGrants(parseXml(document, 'AccessControlPolicy'));
  const acl = readAcl(call);
  if (acl === undefined) {
    throw new TidemillError(
      'MissingRequiredHeader',
      `The header ${call.dialect === 'oss' ? 'x-oss' : 'x-amz'}-acl is missing`,
    );
  }
  await call.store.setBucketAcl(call.bucketName, acl);
  call.empty(200);
}

function refuseGrants(policy: XmlElement): never {
  throw new TidemillError('NotSupported', `An acl as a document (${policy.childNames().join(', ')}) is not supported`, {
    remedy: 'Send one of the canned acls in the acl header.',
  });
}
