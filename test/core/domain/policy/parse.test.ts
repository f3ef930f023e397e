import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TidemillError } from '../../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../../src/core/domain/limits.ts';
import { readPolicy, readTrustPolicy } from '../../../../src/services/access/index.ts';

const OK = { Effect: 'Allow', Action: '*', Resource: '*' };
const TRUST = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'fc.aliyuncs.com' } };

function documentOf(statement: unknown, rest: object = {}): string {
  return JSON.stringify({ Version: '1', Statement: [statement], ...rest });
}

function refused(read: (text: string) => unknown, text: string, named: RegExp): void {
  assert.throws(
    () => read(text),
    (error) => error instanceof TidemillError && error.code === 'MalformedPolicyDocument' && named.test(error.message),
    `${text.slice(0, 200)} should be refused with ${named}`,
  );
}

const REFUSALS: readonly (readonly [string, RegExp])[] = [
  ['', /not JSON/],
  ['{', /not JSON/],
  ['[]', /the document must be an object/],
  ['null', /the document must be an object/],
  ['{}', /Version must be "1"/],
  [JSON.stringify({ Version: 1, Statement: [OK] }), /Version must be "1"/],
  [JSON.stringify({ Version: '2012-10-17', Statement: [OK] }), /Version must be "1"/],
  [JSON.stringify({ Version: '1' }), /at least one statement/],
  [JSON.stringify({ Version: '1', Statement: [] }), /at least one statement/],
  [documentOf(OK, { Id: 'x' }), /no member "Id"/],
  [documentOf('Allow'), /Statement\[0\] must be an object/],
  [documentOf({ ...OK, Effect: 'allow' }), /Statement\[0\]\.Effect/],
  [documentOf({ Action: '*', Resource: '*' }), /Statement\[0\]\.Effect/],
  [documentOf({ ...OK, Sid: 1 }), /Sid must be a string/],
  [documentOf({ ...OK, Principal: '*' }), /no member "Principal"/],
  [documentOf({ Effect: 'Allow', Resource: '*' }), /either Action or NotAction/],
  [documentOf({ ...OK, NotAction: 'fc:*' }), /either Action or NotAction/],
  [documentOf({ Effect: 'Allow', Action: '*' }), /either Resource or NotResource/],
  [documentOf({ ...OK, NotResource: '*' }), /either Resource or NotResource/],
  [documentOf({ ...OK, Action: [] }), /Statement\[0\]\.Action must not be empty/],
  [documentOf({ ...OK, Action: [1] }), /must be a string or a list of strings/],
  [documentOf({ ...OK, Action: 'GetObject' }), /SERVICE:ACTION/],
  [documentOf({ ...OK, Action: 'oss:Get Object' }), /SERVICE:ACTION/],
  [documentOf({ ...OK, Action: '*:*' }), /SERVICE:ACTION/],
  [documentOf({ ...OK, Resource: 'photos/*' }), /acs:SERVICE/],
  [documentOf({ ...OK, Resource: 'arn:aws:s3:::b' }), /acs:SERVICE/],
  [documentOf({ ...OK, Resource: 'acs:oss:bucket' }), /acs:SERVICE/],
  [documentOf({ ...OK, Resource: 'acs:oss:*:*:${acs:UserName}/*' }), /policy variable/],
  [documentOf({ ...OK, Condition: [] }), /Condition must be an object/],
  [documentOf({ ...OK, Condition: {} }), /Condition must not be empty/],
  [documentOf({ ...OK, Condition: { StringEquals: {} } }), /Condition\.StringEquals must not be empty/],
  [documentOf({ ...OK, Condition: { StringEqual: { 'oss:Prefix': 'a' } } }), /no operator "StringEqual"/],
  [documentOf({ ...OK, Condition: { toString: { 'oss:Prefix': 'a' } } }), /no operator "toString"/],
  [documentOf({ ...OK, Condition: { 'ForAnyValue:StringEquals': { 'oss:Prefix': 'a' } } }), /no operator/],
  [documentOf({ ...OK, Condition: { StringEquals: { 'oss:Prefix': [] } } }), /must not be empty/],
  [documentOf({ ...OK, Condition: { StringEquals: { 'oss:Prefix': null } } }), /string or a list of strings/],
  [documentOf({ ...OK, Condition: { StringEquals: { 'oss:Prefix': '${acs:UserName}' } } }), /policy variable/],
  [
    documentOf({ ...OK, Condition: { StringEquals: { 'acs:ResourceTag/team': 'dev' } } }),
    /"acs:ResourceTag\/team" is not supported/,
  ],
  [documentOf({ ...OK, Condition: { StringEquals: { 'fc:Anything': 'dev' } } }), /"fc:Anything" is not supported/],
  [documentOf({ ...OK, Condition: { NumericEquals: { 'x:n': 'ten' } } }), /decimal numbers/],
  [documentOf({ ...OK, Condition: { NumericEquals: { 'x:n': '0x10' } } }), /decimal numbers/],
  [documentOf({ ...OK, Condition: { DateLessThan: { 'acs:CurrentTime': 'tomorrow' } } }), /ISO 8601/],
  [documentOf({ ...OK, Condition: { DateLessThan: { 'acs:CurrentTime': '2019-08-12T17:00:00' } } }), /ISO 8601/],
  [documentOf({ ...OK, Condition: { DateLessThan: { 'acs:CurrentTime': '2019-13-12T17:00:00Z' } } }), /ISO 8601/],
  [documentOf({ ...OK, Condition: { Bool: { 'acs:SecureTransport': 'yes' } } }), /true or false/],
  [documentOf({ ...OK, Condition: { IpAddress: { 'acs:SourceIp': '10.0.0.0/33' } } }), /CIDR/],
  [documentOf({ ...OK, Condition: { IpAddress: { 'acs:SourceIp': '10.0.0' } } }), /CIDR/],
  [documentOf({ ...OK, Condition: { IpAddress: { 'acs:SourceIp': '010.0.0.1' } } }), /CIDR/],
  [documentOf({ ...OK, Condition: { IpAddress: { 'acs:SourceIp': 'fe80::1%eth0/64' } } }), /CIDR/],
  [
    '{"Version":"1","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}',
    /"Effect" occurs twice/,
  ],
  ['{"Version":"1","Statement":[{"Effect":"Allow","__proto__":{"x":1},"Action":"*","Resource":"*"}]}', /"__proto__"/],
];

for (const [text, named] of REFUSALS) {
  test(`refused with ${named}: ${text.slice(0, 120)}`, () => refused(readPolicy, text, named));
}

test('size, statements and depth are bounded, and said', () => {
  const long = documentOf({ ...OK, Resource: `acs:oss:*:*:${'k'.repeat(LIMITS.policyDocumentChars)}` });
  refused(readPolicy, long, /at most 6144/);
  readPolicy(documentOf(OK), 100);
  refused((text) => readPolicy(text, 50), documentOf(OK), /at most 50/);
  refused(
    readPolicy,
    JSON.stringify({ Version: '1', Statement: Array.from({ length: 101 }, () => OK) }),
    /101 statements; at most 100/,
  );
  refused(readPolicy, `${'['.repeat(3_000)}${']'.repeat(3_000)}`, /must be an object/);
});

test('duplicate names are told from equal strings in other places', () => {
  readPolicy(
    '{"Version" :\n"1","Statement":[{"Effect":"Allow","Action":["Action","Action:x"].length,"Resource":"*"}]}'.replace(
      '["Action","Action:x"].length',
      '["fc:a","fc:a"]',
    ),
  );
  refused(
    readPolicy,
    '{"Version":"1","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"acs:SecureTransport":"true"},"B\\u006fol"   \n :{"acs:MFAPresent":"true"}}}}',
    /"Bool" occurs twice/,
  );
});

const TRUST_REFUSALS: readonly (readonly [object, RegExp])[] = [
  [{ ...TRUST, Principal: undefined }, /Principal must be an object/],
  [{ ...TRUST, Principal: '*' }, /Principal must be an object/],
  [{ ...TRUST, Principal: {} }, /must name somebody/],
  [{ ...TRUST, Principal: { Federated: 'acs:ram::1:saml-provider/x' } }, /no member "Federated"/],
  [{ ...TRUST, Principal: { RAM: '*' } }, /not of the form/],
  [{ ...TRUST, Principal: { RAM: 'acs:ram::*:root' } }, /not of the form/],
  [{ ...TRUST, Principal: { RAM: 'acs:ram::1:user/*' } }, /not of the form/],
  [{ ...TRUST, Principal: { Service: 'FC' } }, /host name/],
  [{ ...TRUST, Resource: '*' }, /no member "Resource"/],
];

for (const [statement, named] of TRUST_REFUSALS) {
  test(`a trust policy is refused with ${named}: ${JSON.stringify(statement)}`, () =>
    refused(readTrustPolicy, documentOf(statement), named));
}
