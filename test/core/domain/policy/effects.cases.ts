import { ACCOUNT, allow, cases, type DecisionCase, deny, F, OBJECT } from './case.ts';

const USER = `acs:ram::${ACCOUNT}:user/alice`;
const INVOKE = 'fc:InvokeFunction';

/** Which statement wins, and what actions and resources a statement covers. */
export const EFFECTS: readonly DecisionCase[] = [
  // effect
  ...cases('Policy evaluation: deny by default', [allow('ecs:*')], [[INVOKE, F, 'implicit-deny']]),
  ...cases('Policy evaluation: deny by default, no Allow at all', [deny('ecs:*')], [[INVOKE, F, 'implicit-deny']]),
  ...cases('Policy elements: Effect Allow', [allow(INVOKE)], [[INVOKE, F, 'allow']]),
  ...cases('Policy elements: Effect Deny', [deny(INVOKE)], [[INVOKE, F, 'explicit-deny']]),
  ...cases(
    'Policy elements: Deny takes precedence over Allow',
    [allow('*'), deny(INVOKE)],
    [
      [INVOKE, F, 'explicit-deny'],
      ['fc:GetFunction', F, 'allow'],
    ],
  ),
  ...cases(
    'Policy elements: Deny takes precedence whatever the order',
    [deny(INVOKE), allow('*')],
    [
      [INVOKE, F, 'explicit-deny'],
      ['fc:GetFunction', F, 'allow'],
    ],
  ),
  ...cases(
    'Policy elements: Deny takes precedence over a narrower Allow',
    [allow(INVOKE, F), deny('fc:*')],
    [
      [INVOKE, F, 'explicit-deny'],
      ['fc:ListFunctions', F, 'explicit-deny'],
      ['oss:GetObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy evaluation: any Allow that matches is enough',
    [allow('ecs:*'), allow(INVOKE), allow('oss:*')],
    [
      [INVOKE, F, 'allow'],
      ['oss:GetObject', OBJECT, 'allow'],
      ['ram:GetUser', USER, 'implicit-deny'],
    ],
  ),
  // Action
  ...cases(
    'Policy elements: Action names one operation',
    [allow('oss:GetObject')],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:PutObject', OBJECT, 'implicit-deny'],
      ['oss:GetObjectAcl', OBJECT, 'implicit-deny'],
      ['fc:GetObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Action is not case-sensitive',
    [allow('OSS:getobject')],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:GETOBJECT', OBJECT, 'allow'],
    ],
  ),
  ...cases(
    'Policy elements: Action takes several values',
    [allow(['oss:GetObject', 'fc:InvokeFunction'])],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      [INVOKE, F, 'allow'],
      ['oss:PutObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Action with *',
    [allow('fc:Get*')],
    [
      ['fc:GetFunction', F, 'allow'],
      ['fc:Get', F, 'allow'],
      ['fc:GetFunctionCode', F, 'allow'],
      ['fc:ListFunctions', F, 'implicit-deny'],
      ['oss:GetObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Action of a whole service',
    [allow('fc:*')],
    [
      ['fc:DeleteFunction', F, 'allow'],
      [INVOKE, F, 'allow'],
      ['fcx:InvokeFunction', F, 'implicit-deny'],
      ['oss:GetObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Action *',
    [allow('*')],
    [
      ['fc:DeleteFunction', F, 'allow'],
      ['ram:DeleteUser', USER, 'allow'],
    ],
  ),
  ...cases(
    'Policy elements: Action with * in the middle',
    [allow('fc:*Trigger')],
    [
      ['fc:CreateTrigger', F, 'allow'],
      ['fc:DeleteTrigger', F, 'allow'],
      ['fc:ListTriggers', F, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Action with ?',
    [allow('fc:?etFunction')],
    [
      ['fc:GetFunction', F, 'allow'],
      ['fc:SetFunction', F, 'allow'],
      ['fc:ResetFunction', F, 'implicit-deny'],
      ['fc:etFunction', F, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: NotAction, all operations but those',
    [{ Effect: 'Allow', NotAction: 'ram:*', Resource: '*' }],
    [
      [INVOKE, F, 'allow'],
      ['oss:PutObject', OBJECT, 'allow'],
      ['ram:CreateUser', USER, 'implicit-deny'],
      ['RAM:createuser', USER, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: NotAction with several values',
    [{ Effect: 'Allow', NotAction: ['ram:*', 'sts:*'], Resource: '*' }],
    [
      [INVOKE, F, 'allow'],
      ['sts:AssumeRole', USER, 'implicit-deny'],
      ['ram:GetUser', USER, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: NotAction in a Deny denies all but those',
    [allow('*'), { Effect: 'Deny', NotAction: 'fc:*', Resource: '*' }],
    [
      [INVOKE, F, 'allow'],
      ['oss:GetObject', OBJECT, 'explicit-deny'],
    ],
  ),
  // Resource
  ...cases(
    'Policy elements: Resource names one',
    [allow('*', F)],
    [
      [INVOKE, F, 'allow'],
      [INVOKE, `${F}2`, 'implicit-deny'],
      [INVOKE, F.slice(0, -1), 'implicit-deny'],
      [INVOKE, `${F}/LATEST`, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Resource takes several values',
    [allow('*', [F, OBJECT])],
    [
      [INVOKE, F, 'allow'],
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:GetObject', `${OBJECT}.bak`, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: Resource *',
    [allow('*', '*')],
    [
      [INVOKE, F, 'allow'],
      ['oss:GetObject', OBJECT, 'allow'],
    ],
  ),
  ...cases(
    'ours: names are case-sensitive',
    [allow('*', F)],
    [
      [INVOKE, F.replace('functions/f', 'functions/F'), 'implicit-deny'],
      [INVOKE, F.replace('acs:fc', 'acs:FC'), 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: * for region and account',
    [allow('oss:*', 'acs:oss:*:*:photos/*')],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:GetObject', `acs:oss:cn-beijing:${ACCOUNT}:photos/b`, 'allow'],
      ['oss:GetObject', `acs:oss:*:${ACCOUNT}:photos/b`, 'allow'],
      ['oss:GetObject', `acs:oss::${ACCOUNT}:photos/b`, 'allow'],
      ['oss:ListObjects', `acs:oss:cn-beijing:${ACCOUNT}:photos`, 'implicit-deny'],
      ['oss:GetObject', `acs:oss:cn-beijing:${ACCOUNT}:photos2/b`, 'implicit-deny'],
      ['oss:GetObject', `acs:fc:cn-beijing:${ACCOUNT}:photos/b`, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: the account of a Resource',
    [allow('*', `acs:fc:*:${ACCOUNT}:functions/*`)],
    [
      [INVOKE, F, 'allow'],
      [INVOKE, 'acs:fc:cn-hangzhou:9999999999999999:functions/f', 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: the region of a Resource',
    [allow('*', `acs:fc:cn-hangzhou:*:functions/f`)],
    [
      [INVOKE, F, 'allow'],
      [INVOKE, F.replace('cn-hangzhou', 'cn-beijing'), 'implicit-deny'],
    ],
  ),
  ...cases(
    'OSS authorization: bucket and objects are two resources',
    [allow('oss:*', 'acs:oss:*:*:photos')],
    [
      ['oss:ListObjects', `acs:oss:cn-hangzhou:${ACCOUNT}:photos`, 'allow'],
      ['oss:GetObject', OBJECT, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: * reaches over slashes',
    [allow('oss:*', 'acs:oss:*:*:photos/20*.jpg')],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:photos/20.jpg`, 'allow'],
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:photos/2015/a.png`, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy elements: ? in a Resource',
    [allow('*', `acs:fc:*:*:functions/f?`)],
    [
      [INVOKE, `${F}1`, 'allow'],
      [INVOKE, `${F}12`, 'implicit-deny'],
      [INVOKE, F, 'implicit-deny'],
    ],
  ),
  ...cases(
    'ours: * in one part of a name does not reach into the next',
    [allow('oss:*', 'acs:oss:*:*:mine/*')],
    [
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:mine/x:y`, 'allow'],
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:other/k:${ACCOUNT}:mine/x`, 'implicit-deny'],
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:other/k:mine/x`, 'implicit-deny'],
    ],
  ),
  ...cases(
    'ours: a short pattern ends in * and stands for the rest',
    [allow('*', 'acs:oss:*')],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:ListBuckets', `acs:oss:cn-hangzhou:${ACCOUNT}:*`, 'allow'],
      [INVOKE, F, 'implicit-deny'],
    ],
  ),
  ...cases(
    'Policy syntax: NotResource',
    [{ Effect: 'Allow', Action: '*', NotResource: F }],
    [
      [INVOKE, F, 'implicit-deny'],
      [INVOKE, `${F}2`, 'allow'],
    ],
  ),
  ...cases(
    'Policy syntax: NotResource in a Deny',
    [allow('*'), { Effect: 'Deny', Action: 'oss:*', NotResource: ['acs:oss:*:*:photos', 'acs:oss:*:*:photos/*'] }],
    [
      ['oss:GetObject', OBJECT, 'allow'],
      ['oss:ListObjects', `acs:oss:cn-hangzhou:${ACCOUNT}:photos`, 'allow'],
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:secret/a`, 'explicit-deny'],
      [INVOKE, F, 'allow'],
    ],
  ),
  ...cases('Policy syntax: a single statement without brackets', [allow(INVOKE)], [[INVOKE, F, 'allow']]),
  ...cases(
    'Policy elements: action and resource of one statement go together',
    [allow('oss:GetObject', 'acs:oss:*:*:a/*'), allow('oss:PutObject', 'acs:oss:*:*:b/*')],
    [
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:a/1`, 'allow'],
      ['oss:PutObject', `acs:oss:cn-hangzhou:${ACCOUNT}:b/1`, 'allow'],
      ['oss:PutObject', `acs:oss:cn-hangzhou:${ACCOUNT}:a/1`, 'implicit-deny'],
      ['oss:GetObject', `acs:oss:cn-hangzhou:${ACCOUNT}:b/1`, 'implicit-deny'],
    ],
  ),
];
