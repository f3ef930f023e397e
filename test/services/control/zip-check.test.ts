import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { checkZip } from '../../../src/services/control/zip-check.ts';
import { refused } from './refusal.ts';
import { type RawEntry, rawZip, zipOf } from './zips.ts';

const FILE: RawEntry = { name: 'index.js', content: 'exports.handler = 1' };
const LINK = 0o120777;

const bad: readonly (readonly [string, readonly RawEntry[] | Buffer, RegExp])[] = [
  ['nothing at all', Buffer.alloc(0), /is empty/],
  ['no zip', Buffer.from('hello, this is not a zip archive'), /not a zip archive/],
  ['no entries', [], /has no files/],
  ['only directories', [{ name: 'a/', mode: 0o040755, stored: true }], /has no files/],
  ['a way up', [{ name: '../evil.js', content: 'x' }], /'\.\.\/evil\.js' leads out/],
  ['a way up in the middle', [{ name: 'a/../../evil.js', content: 'x' }], /leads out/],
  ['a way up with backslashes', [{ name: '..\\evil.js', content: 'x' }], /leads out/],
  ['an absolute path', [{ name: '/etc/passwd', content: 'x' }], /'\/etc\/passwd' has an absolute path/],
  ['a drive', [{ name: 'C:/x', content: 'x' }], /absolute path/],
  ['a NUL in the name', [{ name: 'a\0b', content: 'x' }], /NUL/],
  ['no name', [{ name: '', content: 'x' }], /without a name/],
  ['a name too long', [{ name: 'n'.repeat(256), content: 'x' }], /longer than 255/],
  ['a link to an absolute path', [FILE, { name: 'l', content: '/etc/passwd', mode: LINK }], /'l' -> '\/etc\/passwd'/],
  ['a link out', [FILE, { name: 'a/l', content: '../../x', mode: LINK }], /leads out of the package/],
  ['a link with a detour', [FILE, { name: 'l', content: 'a/../../x', mode: LINK }], /'\.\.' after a name/],
  [
    'a file below a link',
    [
      { name: 'l', content: '.', mode: LINK },
      { name: 'l/x', content: 'x' },
    ],
    /lies below 'l'/,
  ],
  ['a file below a file', [FILE, { name: 'index.js/x', content: 'x' }], /lies below 'index\.js'/],
  ['a device', [FILE, { name: 'dev', mode: 0o020666 }], /'dev' is a device/],
  ['a pipe', [FILE, { name: 'fifo', mode: 0o010666 }], /'fifo' is a device, pipe/],
  ['an encrypted entry', [{ ...FILE, flags: 1 }], /'index\.js' is encrypted/],
  ['a strongly encrypted entry', [{ ...FILE, flags: 0x41 }], /encrypted/],
  ['the same name twice', [FILE, FILE], /'index\.js' twice/],
  ['the same name in two spellings', [FILE, { name: './index.js', content: 'x' }], /'index\.js' twice/],
  ['another compression', [{ ...FILE, method: 12 }], /compression method 12/],
  ['a wrong checksum', [{ ...FILE, declaredCrc: 1 }], /'index\.js' is damaged: its CRC-32/],
  ['more than declared', [{ name: 'f', content: 'x'.repeat(5_000), declaredSize: 10 }], /'f' is damaged/],
  ['less than declared', [{ name: 'f', content: 'x', declaredSize: 10 }], /'f' is damaged/],
  ['a declared bomb', [{ name: 'f', content: 'x', declaredSize: 3_000_000_000 }], /unpacks to more than 2147483648/],
  ['a suspicious ratio', [{ name: 'f', content: 'x', declaredSize: 400_000_000 }], /200 times its size/],
];

describe('zip check', () => {
  for (const [title, zip, message] of bad) {
    it(`refuses ${title}`, async () => {
      await refused(checkZip(Buffer.isBuffer(zip) ? zip : rawZip(zip)), 'InvalidArgument', message);
    });
  }

  it('refuses a large entry that inflates to more than it declares, reading no further', async () => {
    const zip = rawZip([{ name: 'big', content: Buffer.alloc(30_000_000), declaredSize: 2_000_000 }]);
    await refused(checkZip(zip), 'InvalidArgument', /'big' is damaged/);
  });

  it('refuses a truncated archive', async () => {
    const zip = await zipOf({ 'a.js': 'x'.repeat(100) });
    await refused(checkZip(zip.subarray(0, zip.length - 30)), 'InvalidArgument', /not a zip archive/);
  });

  it('takes files, directories, modes, links inside, and what other systems make', async () => {
    await checkZip(
      rawZip([
        { name: 'a/', mode: 0o040755, stored: true },
        { name: 'a/', mode: 0o040755, stored: true },
        { name: 'a/b/run.sh', content: 'x', mode: 0o104755 },
        { name: 'a/link', content: './b/run.sh', mode: LINK },
        { name: 'a/up', content: '../top', mode: LINK },
        { name: 'top', content: '' },
        { name: 'win\\style.txt', content: 'x', madeBy: 0, mode: 0 },
        { name: 'größe.txt', content: 'ü' },
      ]),
    );
    await checkZip(await zipOf({ 'big.bin': Buffer.alloc(3_000_000, 'abc'), 'index.js': 'x' }));
  });

  it('answers any bytes with acceptance or InvalidArgument', async () => {
    const zip = rawZip([FILE, { name: 'l', content: 'index.js', mode: LINK }]);
    const flips = fc.array(fc.tuple(fc.nat(zip.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const broken = Buffer.from(zip);
        for (const [index, byte] of changes) broken[index] = byte;
        try {
          await checkZip(broken);
        } catch (error) {
          assert.ok(error instanceof TidemillError && error.code === 'InvalidArgument', String((error as Error).stack));
        }
      }),
      { numRuns: 400 },
    );
  });
});
