import { ACCOUNT, allow, cases, conditionCases, type DecisionCase, deny, F, OBJECT } from './case.ts';

const LIST = 'oss:ListObjects';
const BUCKET = `acs:oss:cn-hangzhou:${ACCOUNT}:photos`;

/** Operators, several values, several keys, and keys that are not there. */
export const CONDITIONS: readonly DecisionCase[] = [
  ...conditionCases('Conditional operators: StringEquals is case-sensitive', { StringEquals: { 'oss:Prefix': 'a/' } }, [
    ['a/', true],
    ['A/', false],
    ['a/b', false],
    ['', false],
    [undefined, false],
  ]),
  ...conditionCases(
    'Conditional operators: StringEquals knows no wildcards',
    { StringEquals: { 'oss:Prefix': 'a*' } },
    [
      ['a*', true],
      ['ab', false],
    ],
  ),
  ...conditionCases('Conditional operators: StringNotEquals', { StringNotEquals: { 'oss:Prefix': 'a/' } }, [
    ['a/', false],
    ['A/', true],
    ['', true],
  ]),
  ...conditionCases(
    'Conditional operators: StringEqualsIgnoreCase',
    { StringEqualsIgnoreCase: { 'oss:Prefix': 'Ab' } },
    [
      ['aB', true],
      ['Ab', true],
      ['abc', false],
    ],
  ),
  ...conditionCases(
    'Conditional operators: StringNotEqualsIgnoreCase',
    { StringNotEqualsIgnoreCase: { 'oss:Prefix': 'Ab' } },
    [
      ['aB', false],
      ['abc', true],
    ],
  ),
  ...conditionCases('Conditional operators: StringLike with *', { StringLike: { 'oss:Prefix': 'hangzhou/2015/*' } }, [
    ['hangzhou/2015/', true],
    ['hangzhou/2015/a/b', true],
    ['hangzhou/2016/', false],
    ['Hangzhou/2015/', false],
  ]),
  ...conditionCases('Conditional operators: StringLike with ?', { StringLike: { 'oss:Prefix': 'a?c' } }, [
    ['abc', true],
    ['ac', false],
    ['abbc', false],
  ]),
  ...conditionCases('Conditional operators: StringNotLike', { StringNotLike: { 'oss:Prefix': 'secret*' } }, [
    ['public', true],
    ['secret', false],
    ['secrets/x', false],
  ]),
  // numbers: any key of another service serves for the comparison
  ...conditionCases('Conditional operators: NumericEquals', { NumericEquals: { 'x:n': '10' } }, [
    ['10', true],
    ['10.0', true],
    ['11', false],
    ['ten', false],
    ['', false],
  ]),
  ...conditionCases('Conditional operators: NumericNotEquals', { NumericNotEquals: { 'x:n': 10 } }, [
    ['10', false],
    ['-10', true],
  ]),
  ...conditionCases('Conditional operators: NumericLessThan', { NumericLessThan: { 'x:n': '10' } }, [
    ['9.99', true],
    ['10', false],
    ['-1', true],
  ]),
  ...conditionCases('Conditional operators: NumericLessThanEquals', { NumericLessThanEquals: { 'x:n': '10' } }, [
    ['10', true],
    ['10.01', false],
  ]),
  ...conditionCases('Conditional operators: NumericGreaterThan', { NumericGreaterThan: { 'x:n': '10' } }, [
    ['10', false],
    ['11', true],
    ['9', false],
    ['NaN', false],
  ]),
  ...conditionCases('Conditional operators: NumericGreaterThanEquals', { NumericGreaterThanEquals: { 'x:n': '10' } }, [
    ['10', true],
    ['9', false],
  ]),
  // dates
  ...conditionCases(
    'Conditional operators: DateEquals compares instants',
    { DateEquals: { 'acs:CurrentTime': '2019-08-12T17:00:00+08:00' } },
    [
      ['2019-08-12T09:00:00Z', true],
      ['2019-08-12T09:00:01Z', false],
    ],
  ),
  ...conditionCases(
    'Conditional operators: DateNotEquals',
    { DateNotEquals: { 'acs:CurrentTime': '2019-08-12T17:00:00+08:00' } },
    [
      ['2019-08-12T09:00:00Z', false],
      ['2019-08-12T17:00:00Z', true],
    ],
  ),
  ...conditionCases(
    'Conditional operators: DateLessThan (access in a specified period of time)',
    { DateLessThan: { 'acs:CurrentTime': '2019-08-12T17:00:00+08:00' } },
    [
      ['2019-08-12T08:59:59Z', true],
      ['2019-08-12T09:00:00Z', false],
      ['yesterday', false],
    ],
  ),
  ...conditionCases(
    'Conditional operators: DateLessThanEquals',
    { DateLessThanEquals: { 'acs:CurrentTime': '2019-08-12T09:00:00Z' } },
    [
      ['2019-08-12T09:00:00Z', true],
      ['2019-08-12T09:00:00.001Z', false],
    ],
  ),
  ...conditionCases(
    'Conditional operators: DateGreaterThan',
    { DateGreaterThan: { 'acs:CurrentTime': '2019-08-12T09:00:00Z' } },
    [
      ['2019-08-12T09:00:00Z', false],
      ['2019-08-12T18:00:00+08:00', true],
    ],
  ),
  ...conditionCases(
    'Conditional operators: DateGreaterThanEquals',
    { DateGreaterThanEquals: { 'acs:CurrentTime': '2019-08-12T09:00:00Z' } },
    [
      ['2019-08-12T09:00:00Z', true],
      ['2019-08-12T08:00:00Z', false],
    ],
  ),
  // Bool
  ...conditionCases('Conditional operators: Bool', { Bool: { 'acs:SecureTransport': 'true' } }, [
    ['true', true],
    ['false', false],
    ['TRUE', true],
    ['1', false],
    [undefined, false],
  ]),
  ...conditionCases('Conditional operators: Bool false, as JSON', { Bool: { 'acs:SecureTransport': false } }, [
    ['false', true],
    ['true', false],
  ]),
  // addresses
  ...conditionCases('Conditional operators: IpAddress, a block', { IpAddress: { 'acs:SourceIp': '203.0.113.0/24' } }, [
    ['203.0.113.0', true],
    ['203.0.113.255', true],
    ['203.0.114.0', false],
    ['::ffff:203.0.113.7', true],
    ['2001:db8::1', false],
    ['', false],
    ['203.0.113.7, 10.0.0.1', false],
    [undefined, false],
  ]),
  ...conditionCases('Conditional operators: IpAddress, one address', { IpAddress: { 'acs:SourceIp': '10.0.0.7' } }, [
    ['10.0.0.7', true],
    ['10.0.0.70', false],
  ]),
  ...conditionCases('Conditional operators: IpAddress, everything', { IpAddress: { 'acs:SourceIp': '0.0.0.0/0' } }, [
    ['8.8.8.8', true],
    ['2001:db8::1', false],
  ]),
  ...conditionCases('Conditional operators: IpAddress, version 6', { IpAddress: { 'acs:SourceIp': '2001:db8::/32' } }, [
    ['2001:db8:1::5', true],
    ['2001:db9::5', false],
    ['10.0.0.1', false],
  ]),
  ...conditionCases('Conditional operators: NotIpAddress', { NotIpAddress: { 'acs:SourceIp': '203.0.113.0/24' } }, [
    ['203.0.113.9', false],
    ['10.0.0.1', true],
    ['2001:db8::1', true],
  ]),
  // several values, keys, operators
  ...conditionCases(
    'Policy elements: several values are alternatives',
    { IpAddress: { 'acs:SourceIp': ['10.0.0.0/8', '203.0.113.7'] } },
    [
      ['10.9.9.9', true],
      ['203.0.113.7', true],
      ['203.0.113.8', false],
    ],
  ),
  ...conditionCases(
    'Policy elements: Not holds for none of several values',
    { StringNotEquals: { 'oss:Prefix': ['a', 'b'] } },
    [
      ['a', false],
      ['b', false],
      ['c', true],
    ],
  ),
  ...cases(
    'Policy elements: several keys of one operator have all to hold',
    [allow(LIST, BUCKET, { StringEquals: { 'oss:Prefix': 'a/', 'oss:Delimiter': '/' } })],
    [
      [LIST, BUCKET, 'allow', { 'oss:prefix': 'a/', 'oss:delimiter': '/' }],
      [LIST, BUCKET, 'implicit-deny', { 'oss:prefix': 'a/', 'oss:delimiter': '' }],
      [LIST, BUCKET, 'implicit-deny', { 'oss:prefix': 'b/', 'oss:delimiter': '/' }],
      [LIST, BUCKET, 'implicit-deny', { 'oss:prefix': 'a/' }],
    ],
  ),
  ...cases(
    'Policy elements: several operators have all to hold',
    [allow('*', '*', { IpAddress: { 'acs:SourceIp': '10.0.0.0/8' }, Bool: { 'acs:SecureTransport': 'true' } })],
    [
      ['fc:GetFunction', F, 'allow', { 'acs:sourceip': '10.1.1.1', 'acs:securetransport': 'true' }],
      ['fc:GetFunction', F, 'implicit-deny', { 'acs:sourceip': '10.1.1.1', 'acs:securetransport': 'false' }],
      ['fc:GetFunction', F, 'implicit-deny', { 'acs:sourceip': '11.1.1.1', 'acs:securetransport': 'true' }],
    ],
  ),
  ...cases(
    'ours: keys are compared without regard to case',
    [allow('*', '*', { StringEquals: { 'OSS:prefix': 'a' } })],
    [[LIST, BUCKET, 'allow', { 'oss:prefix': 'a' }]],
  ),
  ...conditionCases('ours: of several values of a request one has to match', { StringEquals: { 'oss:Prefix': 'a' } }, [
    [['b', 'a'], true],
    [['b', 'c'], false],
    [[], false],
  ]),
  ...conditionCases(
    'ours: of several values of a request none may match a Not',
    { StringNotEquals: { 'oss:Prefix': 'a' } },
    [
      [['b', 'a'], false],
      [['b', 'c'], true],
    ],
  ),
  ...conditionCases(
    'ours: Not of a key that is missing does not hold in an Allow',
    { NotIpAddress: { 'acs:SourceIp': '10.0.0.1' } },
    [[undefined, false]],
  ),
  ...conditionCases('ours: the same for strings', { StringNotEquals: { 'oss:Prefix': 'secret/' } }, [
    [undefined, false],
  ]),
  ...conditionCases('ours: the same for numbers', { NumericNotEquals: { 'x:n': '1' } }, [[undefined, false]]),
  ...cases(
    'ours: Not of a key that is missing holds in a Deny',
    [allow('*'), deny('*', '*', { NotIpAddress: { 'acs:SourceIp': '10.0.0.0/8' } })],
    [
      ['fc:GetFunction', F, 'explicit-deny', {}],
      ['fc:GetFunction', F, 'explicit-deny', { 'acs:sourceip': '11.0.0.1' }],
      ['fc:GetFunction', F, 'allow', { 'acs:sourceip': '10.0.0.1' }],
    ],
  ),
  ...cases(
    'Policy elements: a Deny whose condition does not hold denies nothing',
    [allow('oss:*'), deny('oss:*', '*', { Bool: { 'acs:SecureTransport': 'false' } })],
    [
      ['oss:GetObject', OBJECT, 'allow', { 'acs:securetransport': 'true' }],
      ['oss:GetObject', OBJECT, 'explicit-deny', { 'acs:securetransport': 'false' }],
    ],
  ),
  ...cases(
    'Policy elements: a condition is of its statement alone',
    [allow('oss:*', '*', { IpAddress: { 'acs:SourceIp': '10.0.0.1' } }), allow('fc:*')],
    [
      ['fc:GetFunction', F, 'allow', { 'acs:sourceip': '9.9.9.9' }],
      ['oss:GetObject', OBJECT, 'implicit-deny', { 'acs:sourceip': '9.9.9.9' }],
    ],
  ),
  ...conditionCases(
    'Policy elements: acs:PrincipalARN with StringLike',
    { StringLike: { 'acs:PrincipalARN': 'acs:ram:*:*:role/ci-*' } },
    [
      [`acs:ram::${ACCOUNT}:role/ci-deploy`, true],
      [`acs:ram::${ACCOUNT}:user/ci-deploy`, false],
    ],
  ),
  ...conditionCases('RAM: ram:PassRole with acs:Service', { StringEquals: { 'acs:Service': 'fc.aliyuncs.com' } }, [
    ['fc.aliyuncs.com', true],
    ['ecs.aliyuncs.com', false],
  ]),
  ...conditionCases('RAM: acs:MFAPresent', { Bool: { 'acs:MFAPresent': 'true' } }, [
    ['false', false],
    ['true', true],
  ]),
];
