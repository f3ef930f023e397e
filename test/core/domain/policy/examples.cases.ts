import { ACCOUNT, allow, cases, type DecisionCase, deny, F, OBJECT } from './case.ts';

const bucket = (name: string): string => `acs:oss:cn-hangzhou:${ACCOUNT}:${name}`;
const INVOKE = 'fc:InvokeFunction';

/** Policies as the vendor's pages show them, and sessions of roles. */
export const EXAMPLES: readonly DecisionCase[] = [
  ...cases(
    'FC policies: AliyunFCReadOnlyAccess',
    [allow(['fc:Get*', 'fc:List*'])],
    [
      ['fc:GetFunction', F, 'allow'],
      ['fc:ListTriggers', `${F}/triggers/*`, 'allow'],
      [INVOKE, F, 'implicit-deny'],
      ['fc:UpdateFunction', F, 'implicit-deny'],
    ],
  ),
  ...cases(
    'FC policies: AliyunFCInvocationAccess',
    [allow(['fc:InvokeFunction'])],
    [
      [INVOKE, F, 'allow'],
      ['fc:GetFunction', F, 'implicit-deny'],
    ],
  ),
  ...cases(
    'FC policies: AliyunFCFullAccess',
    [allow('fc:*')],
    [
      ['fc:CreateFunction', F, 'allow'],
      ['oss:GetObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'FC policies: one function may be managed',
    [allow('fc:*', [F, `${F}/*`])],
    [
      ['fc:UpdateFunction', F, 'allow'],
      ['fc:CreateTrigger', `${F}/triggers/t`, 'allow'],
      ['fc:UpdateFunction', F.replace('/f', '/g'), 'implicit-deny'],
    ],
  ),
  ...cases(
    'OSS tutorial: list a folder and read it',
    [
      allow('oss:GetObject', 'acs:oss:*:*:myphotos/hangzhou/2015/*'),
      allow('oss:ListObjects', 'acs:oss:*:*:myphotos', { StringLike: { 'oss:Prefix': 'hangzhou/2015/*' } }),
    ],
    [
      ['oss:GetObject', bucket('myphotos/hangzhou/2015/a.jpg'), 'allow'],
      ['oss:GetObject', bucket('myphotos/hangzhou/2014/a.jpg'), 'implicit-deny'],
      ['oss:PutObject', bucket('myphotos/hangzhou/2015/a.jpg'), 'implicit-deny'],
      ['oss:ListObjects', bucket('myphotos'), 'allow', { 'oss:prefix': 'hangzhou/2015/' }],
      ['oss:ListObjects', bucket('myphotos'), 'implicit-deny', { 'oss:prefix': '' }],
      ['oss:ListObjects', bucket('myphotos'), 'implicit-deny', {}],
    ],
  ),
  ...cases(
    'OSS tutorial: everything in a bucket but deleting',
    [allow('oss:*', ['acs:oss:*:*:photos', 'acs:oss:*:*:photos/*']), deny('oss:Delete*', 'acs:oss:*:*:photos*')],
    [
      ['oss:PutObject', OBJECT, 'allow'],
      ['oss:DeleteObject', OBJECT, 'explicit-deny'],
      ['oss:DeleteBucket', bucket('photos'), 'explicit-deny'],
      ['oss:PutObject', bucket('other/a'), 'implicit-deny'],
    ],
  ),
  ...cases(
    'OSS tutorial: a folder with subfolders, by delimiter',
    [
      allow('oss:ListObjects', 'acs:oss:*:*:photos', {
        StringEquals: { 'oss:Delimiter': '/', 'oss:Prefix': ['', '2015/'] },
      }),
    ],
    [
      ['oss:ListObjects', bucket('photos'), 'allow', { 'oss:prefix': '', 'oss:delimiter': '/' }],
      ['oss:ListObjects', bucket('photos'), 'allow', { 'oss:prefix': '2015/', 'oss:delimiter': '/' }],
      ['oss:ListObjects', bucket('photos'), 'implicit-deny', { 'oss:prefix': '2016/', 'oss:delimiter': '/' }],
    ],
  ),
  ...cases(
    'RAM best practice: everything but changing RAM',
    [allow('*'), deny(['ram:Create*', 'ram:Delete*', 'ram:Attach*'])],
    [
      ['ram:GetUser', `acs:ram::${ACCOUNT}:user/a`, 'allow'],
      ['ram:CreateUser', `acs:ram::${ACCOUNT}:user/a`, 'explicit-deny'],
      ['fc:CreateFunction', F, 'allow'],
    ],
  ),
  ...cases(
    'RAM best practice: office addresses only',
    [allow('*', '*', { IpAddress: { 'acs:SourceIp': ['203.0.113.2'] } })],
    [
      [INVOKE, F, 'allow', { 'acs:sourceip': '203.0.113.2' }],
      [INVOKE, F, 'implicit-deny', { 'acs:sourceip': '203.0.113.3' }],
    ],
  ),
  ...cases(
    'RAM: pass one role',
    [allow('ram:PassRole', `acs:ram::${ACCOUNT}:role/worker`)],
    [
      ['ram:PassRole', `acs:ram::${ACCOUNT}:role/worker`, 'allow'],
      ['ram:PassRole', `acs:ram::${ACCOUNT}:role/admin`, 'implicit-deny'],
    ],
  ),
  ...cases(
    'RAM: assume roles of another account',
    [allow('sts:AssumeRole', 'acs:ram:*:9999999999999999:role/reader')],
    [
      ['sts:AssumeRole', 'acs:ram::9999999999999999:role/reader', 'allow'],
      ['sts:AssumeRole', 'acs:ram::9999999999999999:role/writer', 'implicit-deny'],
    ],
  ),
  ...sessionCases(),
];

/** "How RAM evaluates policies when a role is assumed": both the role and the session policy have to allow. */
function sessionCases(): readonly DecisionCase[] {
  const rule = 'Policy evaluation: a session policy narrows the role';
  const read = allow(['oss:GetObject', 'oss:PutObject'], 'acs:oss:*:*:photos/*');
  const get = { rule, action: 'oss:GetObject', resource: OBJECT };
  return [
    { ...get, statements: [read], session: [allow('oss:GetObject')], expect: 'allow' },
    { ...get, statements: [read], session: [allow('oss:PutObject')], expect: 'implicit-deny' },
    { ...get, statements: [allow('fc:*')], session: [allow('*')], expect: 'implicit-deny' },
    { ...get, statements: [read], session: [deny('oss:GetObject')], expect: 'explicit-deny' },
    { ...get, statements: [read], session: [allow('*'), deny('oss:GetObject')], expect: 'explicit-deny' },
    { ...get, statements: [deny('oss:*'), read], session: [allow('*')], expect: 'explicit-deny' },
    { ...get, statements: [read], session: [allow('*', 'acs:oss:*:*:photos/2016/*')], expect: 'implicit-deny' },
    {
      ...get,
      statements: [read],
      session: [allow('*', '*', { IpAddress: { 'acs:SourceIp': '10.0.0.0/8' } })],
      context: { 'acs:sourceip': '10.0.0.1' },
      expect: 'allow',
    },
    {
      ...get,
      statements: [read],
      session: [allow('*', '*', { IpAddress: { 'acs:SourceIp': '10.0.0.0/8' } })],
      context: { 'acs:sourceip': '9.0.0.1' },
      expect: 'implicit-deny',
    },
  ];
}
