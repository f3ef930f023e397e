import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  chooseSubnet,
  formatAddress,
  parseAddress,
  parseRange,
  type Range,
  SLOTS,
  slotAddress,
} from '../../../src/adapters/sandbox-oci/subnets.ts';

function rangeOf(cidr: string): Range {
  const range = parseRange(cidr);
  assert.ok(range !== undefined);
  return range;
}

describe('choosing a subnet', () => {
  it('never takes what is in use, and finds one as long as there is one', () => {
    const cidr = fc
      .tuple(fc.nat(255), fc.nat(255), fc.integer({ min: 9, max: 24 }))
      .map(([b, c, bits]) => `10.${b}.${c}.0/${bits}`);
    fc.assert(
      fc.property(fc.nat(0xffffff), fc.array(cidr, { maxLength: 6 }), (seed, used) => {
        const taken = used.map(rangeOf);
        const subnet = chooseSubnet(seed, taken);
        const free = Array.from({ length: 4096 }, (_, index) =>
          rangeOf(`${formatAddress(10 * 2 ** 24 + index * 4096)}/20`),
        );
        const clear = (range: Range): boolean =>
          taken.every((each) => each.last < range.first || each.first > range.last);
        if (subnet === undefined) assert.equal(free.some(clear), false);
        else assert.ok(clear(rangeOf(subnet.cidr)));
      }),
    );
  });

  it('gives two installations with different seeds different subnets, most of the time without looking', () => {
    assert.notEqual(chooseSubnet(1, [])?.cidr, chooseSubnet(2, [])?.cidr);
    assert.equal(chooseSubnet(1, [rangeOf('10.0.0.0/8')]), undefined);
    assert.equal(chooseSubnet(1, [rangeOf('0.0.0.0/0')]), undefined);
  });

  it('numbers addresses inside the subnet, without the gateway and the broadcast address', () => {
    const subnet = { cidr: '10.1.16.0/20', gateway: '10.1.16.1' };
    assert.equal(slotAddress(subnet, 1), '10.1.16.2');
    assert.equal(slotAddress(subnet, 255), '10.1.17.0');
    const range = rangeOf(subnet.cidr);
    assert.ok((parseAddress(slotAddress(subnet, SLOTS)) ?? 0) < range.last);
    assert.throws(() => slotAddress(subnet, SLOTS + 1));
  });

  it('reads addresses and ranges, and nothing else', () => {
    assert.deepEqual(parseRange('192.168.1.77/24'), { first: 0xc0a80100, last: 0xc0a801ff });
    for (const text of ['default', 'fe80::/10', '1.2.3', '1.2.3.256', '1.2.3.4/33', '']) {
      assert.equal(parseRange(text), undefined, text);
    }
  });
});
