import assert from 'node:assert/strict';
import { deflateRawSync } from 'node:zlib';
import { crc32 } from 'node:zlib';
import { after, before, test } from 'node:test';
import { ECHO, failsWith, models, World, zip, zipCode } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

async function create(input: ConstructorParameters<typeof models.CreateFunctionInput>[0]): Promise<string> {
  const functionName = input?.['functionName'] ?? world.name('refused');
  const complete = { runtime: 'nodejs20', handler: 'index.handler', code: await zipCode(ECHO), ...input, functionName };
  const body = new models.CreateFunctionInput(complete);
  await world.client.createFunction(new models.CreateFunctionRequest({ body }));
  return functionName;
}

/** Refused with a message that matches, and nothing is left behind. */
async function refused(
  input: ConstructorParameters<typeof models.CreateFunctionInput>[0],
  message: RegExp,
  code = 'InvalidArgument',
  status = 400,
): Promise<void> {
  const functionName = world.name('refused');
  await assert.rejects(create({ functionName, ...input }), failsWith(code, status, message));
  const query = new models.GetFunctionRequest({});
  await assert.rejects(world.client.getFunction(functionName, query), failsWith('FunctionNotFound', 404));
}

const codeOf = (bytes: Buffer, rest: { checksum?: string } = {}) =>
  new models.InputCodeLocation({ zipFile: bytes.toString('base64'), ...rest });

interface Entry {
  readonly name: string;
  readonly data: Buffer;
  readonly mode?: number;
  /** What the headers claim; default: the truth. */
  readonly claimedSize?: number;
}

/** A zip no honest tool writes: any names, modes and claims. */
function rawZip(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, data, mode = 0o100644, claimedSize } of entries) {
    const packed = deflateRawSync(data, { level: 9 });
    const bytes = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(8, 8);
    local.writeUInt32LE(crc32(data), 14);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(claimedSize ?? data.length, 22);
    local.writeUInt16LE(bytes.length, 26);
    const head = Buffer.alloc(46);
    head.writeUInt32LE(0x02014b50, 0);
    head.writeUInt16LE(0x031e, 4);
    local.copy(head, 6, 4, 28);
    head.writeUInt32LE((mode << 16) >>> 0, 38);
    head.writeUInt32LE(offset, 42);
    parts.push(local, bytes, packed);
    central.push(head, bytes);
    offset += local.length + bytes.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

test('the archive maker of this file makes archives that work', async () => {
  const code = codeOf(rawZip([{ name: 'index.js', data: Buffer.from('exports.handler = async () => "raw";') }]));
  assert.equal((await world.invoke(await create({ code }))).text, 'raw');
});

test('names', async () => {
  for (const functionName of ['1abc', 'a b', 'a/b', 'ü', 'a'.repeat(129)]) {
    await assert.rejects(create({ functionName }), failsWith('InvalidArgument', 400, /functionName/));
  }
});

test('runtimes and handlers', async () => {
  await refused({ runtime: 'cobol85' }, /runtime.*cobol85/s);
  await refused({ handler: '' }, /handler/);
  const body = new models.CreateFunctionInput({
    functionName: world.name('nohandler'),
    runtime: 'nodejs20',
    code: await zipCode(ECHO),
  });
  await assert.rejects(
    world.client.createFunction(new models.CreateFunctionRequest({ body })),
    failsWith('InvalidArgument', 400, /handler/i),
  );
});

test('values outside their limits', async () => {
  await refused({ timeout: 0 }, /timeout/);
  await refused({ timeout: 86_401 }, /timeout/);
  await refused({ memorySize: 100 }, /memorySize/);
  await refused({ memorySize: 129 }, /memorySize/);
  await refused({ diskSize: 1 }, /diskSize/);
  await refused({ description: 'a'.repeat(257) }, /description/);
  await refused({ instanceConcurrency: 2 }, /instanceConcurrency/);
  await refused({ environmentVariables: { FC_OWN: 'x' } }, /FC_OWN/);
  await refused({ environmentVariables: { LARGE: 'a'.repeat(5000) } }, /environmentVariables/);
  await refused({ layers: Array.from({ length: 6 }, (_, i) => `acs:fc:local:1:layers/L/versions/${i + 1}`) }, /layers/);
});

test('settings that are not there are refused by name', async () => {
  const gpuConfig = new models.GPUConfig({ gpuType: 'fc.gpu.tesla.1', gpuMemorySize: 1024 });
  await refused({ gpuConfig }, /gpuConfig/, 'NotSupported');
  const vpcConfig = new models.VPCConfig({ vpcId: 'vpc-1', vSwitchIds: ['v'], securityGroupId: 's' });
  await refused({ vpcConfig }, /vpcConfig/, 'NotSupported');
});

test('code: none, no zip, wrong checksum, no such object', async () => {
  const bytes = await zip(ECHO);
  await refused({ code: codeOf(Buffer.from('this is no zip')) }, /zip/i);
  await refused({ code: codeOf(bytes.subarray(0, bytes.length - 30)) }, /zip/i);
  await refused({ code: codeOf(bytes, { checksum: '12345' }) }, /checksum/);
  await refused({ code: new models.InputCodeLocation({}) }, /code/);
  const missing = new models.InputCodeLocation({ ossBucketName: 'no-such-bucket', ossObjectName: 'x.zip' });
  const functionName = world.name('nobucket');
  await assert.rejects(create({ functionName, code: missing }), /no-such-bucket/);
});

test('archives that attack: traversal, absolute paths, symlinks out, bombs', async () => {
  const evil = Buffer.from('evil');
  await refused({ code: codeOf(rawZip([{ name: '../evil.js', data: evil }])) }, /\.\.\/evil\.js/);
  await refused({ code: codeOf(rawZip([{ name: 'a/../../evil.js', data: evil }])) }, /evil\.js/);
  await refused({ code: codeOf(rawZip([{ name: '/etc/evil', data: evil }])) }, /etc\/evil/);
  const symlink = { name: 'link', data: Buffer.from('/etc/passwd'), mode: 0o120777 };
  await refused({ code: codeOf(rawZip([symlink])) }, /link/);
  const through = [
    { name: 'dir', data: Buffer.from('/tmp'), mode: 0o120777 },
    { name: 'dir/evil', data: evil },
  ];
  await refused({ code: codeOf(rawZip(through)) }, /dir/);
  const zeros = Buffer.alloc(64 * 1024 * 1024);
  const bomb = Array.from({ length: 40 }, (_, i) => ({ name: `zeros-${i}`, data: zeros }));
  await refused({ code: codeOf(rawZip(bomb)) }, /unpack|limit|large/i);
  const liar = { name: 'index.js', data: Buffer.alloc(1_000_000), claimedSize: 10 };
  await refused({ code: codeOf(rawZip([liar])) }, /zip|size|index\.js/i);
  assert.equal((await world.invoke(await create({}), 'still here')).text, 'still here');
});

test('payloads over their limits', async () => {
  const name = await create({});
  await assert.rejects(
    world.invoke(name, Buffer.alloc(32 * 1024 * 1024 + 1)),
    failsWith('EntityTooLarge', 400, /payload size exceeds maximum allowed size/),
  );
  await assert.rejects(
    world.invoke(name, Buffer.alloc(128 * 1024 + 1), { headers: { 'x-fc-invocation-type': 'Async' } }),
    failsWith('EntityTooLarge', 400),
  );
  assert.equal((await world.invoke(name, 'x')).text, 'x');
});

test('headers of an invocation that are not of the documented form', async () => {
  const name = await create({});
  for (const headers of [
    { 'x-fc-invocation-type': 'Someday' },
    { 'x-fc-log-type': 'All' },
    { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': '9lives' },
    { 'x-fc-invocation-type': 'Async', 'x-fc-async-delay': '3601' },
  ]) {
    await assert.rejects(world.invoke(name, 'x', { headers }), failsWith('InvalidArgument', 400, /x-fc-/));
  }
});

test('operations that are not there yet answer with their name', async () => {
  const name = await create({});
  const { client } = world;
  const calls: readonly [RegExp, Promise<unknown>][] = [
    [
      /CreateCustomDomain/,
      client.createCustomDomain(
        new models.CreateCustomDomainRequest({ body: new models.CreateCustomDomainInput({ domainName: 'a.example' }) }),
      ),
    ],
    [/PauseSession/, client.pauseSession(name, 's', new models.PauseSessionRequest({}))],
    [
      /CreateVpcBinding/,
      client.createVpcBinding(
        name,
        new models.CreateVpcBindingRequest({ body: new models.CreateVpcBindingInput({ vpcId: 'v' }) }),
      ),
    ],
    [
      /ChangeResourceGroup/,
      client.changeResourceGroup(
        new models.ChangeResourceGroupRequest({ body: new models.ChangeResourceGroupInput({ resourceId: 'r' }) }),
      ),
    ],
  ];
  for (const [message, call] of calls) await assert.rejects(call, failsWith('NotSupported', 400, message));
  assert.deepEqual((await client.listCustomDomains(new models.ListCustomDomainsRequest({}))).body?.customDomains, []);
});
