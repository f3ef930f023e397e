import assert from 'node:assert/strict';
import { parseFunctionArn, parseLayerArn, parseBucketArn, roleOfArn } from '../../src/core/domain/arn.ts';
import { checkLink } from '../../src/core/domain/archive.ts';
import { parseCron } from '../../src/core/domain/cron.ts';
import { patternProblem } from '../../src/core/domain/event-pattern.ts';
import { parsePolicy, parseTrustPolicy } from '../../src/core/domain/policy/parse.ts';
import { compilePattern } from '../../src/core/domain/policy/pattern.ts';
import { parseJsonBody } from '../../src/doors/fc/json-body.ts';
import { parseXml } from '../../src/doors/objects/xml.ts';
import { parseExpression, splitText } from '../../src/apps/cli/manifest/expression.ts';
import { parseTriggerConfig } from '../../src/services/control/trigger-config.ts';
import { readAddressRange } from '../../src/services/access/address-ranges.ts';
import { checkZip } from '../../src/services/control/zip-check.ts';
import { checkSignature } from '../../src/services/events/webhook-signature.ts';
import type { FuzzTarget } from './target.ts';

const utf8 = (bytes: Buffer): string => bytes.toString('utf8');
const POLICY =
  '{"Version":"1","Statement":[{"Effect":"Allow","Action":["fc:Get*"],"Resource":"acs:fc:*:*:functions/*","Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8"]}}}]}';
const TRUST =
  '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["fc.aliyuncs.com"]}}]}';
const XML = '<Delete><Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object></Delete>';
/** An archive of one stored file `a` with the text `b`. */
const ZIP = Buffer.from(
  'UEsDBBQAAAAAAPpQdV35775xAQAAAAEAAAABAAAAYWJQSwECFAMUAAAAAAD6UHVd+e++cQEAAAABAAAAAQAAAAAAAAAAAAAAgAEAAAAAYVBLBQYAAAAAAQABAC8AAAAgAAAAAAA=',
  'base64',
).toString('latin1');

export const documentTargets: readonly FuzzTarget[] = [
  {
    name: 'policy',
    seeds: [POLICY, TRUST],
    words: ['NotAction', 'Deny', '"Bool"', 'ForAllValues:', '"__proto__":{}'],
    run(bytes) {
      const options = { addresses: readAddressRange };
      try {
        parsePolicy(utf8(bytes), options);
      } finally {
        if (bytes.includes('Principal')) parseTrustPolicy(utf8(bytes), options);
      }
    },
  },
  {
    name: 'pattern',
    seeds: ['a*b?c', '*a*a*a*a*b', '${*}'],
    run: (bytes) => compilePattern(utf8(bytes)).matches('a'.repeat(500)),
  },
  {
    name: 'cron',
    seeds: ['0 0 4 * * *', '@every 5m', 'CRON_TZ=Asia/Shanghai 0 30 4 ? * MON-FRI', '0 0/5 14,18 L * ?'],
    words: ['TZ=', '@every 1h30m', '59', '#', 'W', '1-5/2'],
    run: (bytes) => parseCron(utf8(bytes).slice(0, 256)),
  },
  {
    name: 'arn',
    seeds: [
      'acs:fc:local:1:functions/f/LATEST',
      'acs:oss:local:1:bucket',
      'acs:ram::1:role/r',
      'acs:fc:local:1:layers/l/versions/1',
    ],
    run(bytes) {
      const given = utf8(bytes);
      for (const parse of [parseFunctionArn, parseLayerArn, parseBucketArn, roleOfArn]) parse(given);
    },
  },
  {
    name: 'json-body',
    seeds: ['{"functionName":"f","environmentVariables":{"a":"b"}}', '{"tags":[{"key":"a","value":"b"}]}'],
    run: (bytes) => parseJsonBody(bytes),
  },
  {
    name: 'trigger-config',
    seeds: ['{"authType":"anonymous","methods":["GET"]}', '{"cronExpression":"@every 5m","enable":true}'],
    run: (bytes) => parseTriggerConfig(utf8(bytes)),
  },
  {
    name: 'event-pattern',
    seeds: ['{"source":["a",{"prefix":"b"}],"detail":{"x":[{"numeric":[">",1]}]}}'],
    refused: (error) => error instanceof SyntaxError,
    run: (bytes) => patternProblem(JSON.parse(utf8(bytes))),
  },
  {
    name: 'xml',
    seeds: [XML],
    words: ['<![CDATA[', ']]>', '<!--', '&#x41;'],
    run: (bytes) => parseXml(utf8(bytes), 'Delete'),
  },
  { name: 'zip', seeds: [ZIP], words: ['PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06'], run: (bytes) => checkZip(bytes) },
  {
    name: 'link-target',
    seeds: ['../a', 'b/../../c', './x'],
    run(bytes) {
      const target = utf8(bytes);
      checkLink('d/e/link', target);
      assert.ok(!target.startsWith('/') && !target.startsWith('../../../'));
    },
  },
  {
    name: 'manifest-expression',
    seeds: ["${env('A', 'b')}", 'x-${vars.name}-$${y}', '${resources.a.props.functionName}'],
    refused: (error) =>
      error instanceof Error && error.constructor.name !== 'TypeError' && error.constructor !== RangeError,
    run(bytes) {
      for (const part of splitText(utf8(bytes))) if ('source' in part) parseExpression(part.source);
    },
  },
  {
    name: 'webhook-signature',
    seeds: [`sha256=${'ab'.repeat(32)}`, 'v1,c2lnbmF0dXJl', '1700000000'],
    run(bytes) {
      const header = (): string => utf8(bytes);
      try {
        checkSignature({ provider: 'GitHub', secret: 's' } as never, header, bytes, 0);
      } finally {
        checkSignature({ provider: 'GitLab', secret: 'whsec_c2VjcmV0c2VjcmV0' } as never, header, bytes, 0);
      }
    },
  },
];
