import { LinkedList, ListNode } from '../../core/base/linked-list.ts';
import type { VersionState } from './state.ts';

/** What a turn is worth, MB: two instances of the smallest size. */
const QUANTUM_MB = 256;

/** An account or a function that waits, with what it has saved up. */
class Waiter {
  readonly key: string;
  readonly place: ListNode<Waiter>;
  /** MB it may still start before the next has its turn. */
  credit = 0;
  /** Of an account: its functions. */
  readonly functions = new LinkedList<Waiter>();
  readonly byKey = new Map<string, Waiter>();
  /** Of a function: its versions, in order of arrival. */
  readonly versions = new Set<VersionState>();

  constructor(key: string) {
    this.key = key;
    this.place = new ListNode<Waiter>(this);
  }
}

/**
 * Versions that wait for what all share: room on the nodes, turns to start. Who is next is deficit round-robin, first
 * between accounts, then between the functions of one; the cost of a start is its memory. So whoever wants a thousand
 * instances delays somebody who wants one by one turn at most. `next` and `charge` cost O(1) but for instances of
 * many turns' worth.
 */
export class FairQueue extends LinkedList<VersionState> {
  private readonly accounts = new LinkedList<Waiter>();
  private readonly byKey = new Map<string, Waiter>();

  override pushBack(node: ListNode<VersionState>): void {
    if (node.list === this) return;
    super.pushBack(node);
    const { account, functionKey } = node.item.shape;
    const owner = join(this.accounts, this.byKey, account);
    join(owner.functions, owner.byKey, functionKey).versions.add(node.item);
  }

  override remove(node: ListNode<VersionState>): void {
    if (node.list !== this) return;
    super.remove(node);
    const { account, functionKey } = node.item.shape;
    const owner = this.byKey.get(account);
    const waiter = owner?.byKey.get(functionKey);
    if (owner === undefined || waiter === undefined) return;
    waiter.versions.delete(node.item);
    if (waiter.versions.size === 0) leave(owner.functions, owner.byKey, waiter);
    if (owner.byKey.size === 0) leave(this.accounts, this.byKey, owner);
  }

  /** The version whose turn it is; it stays in the queue. Asking again answers the same until it is charged or leaves. */
  next(): VersionState | undefined {
    for (;;) {
      const owner = this.accounts.first;
      const waiter = owner?.functions.first;
      if (owner === undefined || waiter === undefined) return undefined;
      const [version] = waiter.versions;
      if (version === undefined) return undefined;
      const cost = version.shape.memoryMb;
      if (owner.credit < cost) passOn(this.accounts, owner);
      else if (waiter.credit < cost) passOn(owner.functions, waiter);
      else return version;
    }
  }

  /** The version has started an instance: account and function pay for it, and its function's other versions come first. */
  charge(version: VersionState): void {
    const { account, functionKey, memoryMb } = version.shape;
    const owner = this.byKey.get(account);
    const waiter = owner?.byKey.get(functionKey);
    if (owner === undefined || waiter === undefined) return;
    owner.credit -= memoryMb;
    waiter.credit -= memoryMb;
    if (waiter.versions.delete(version)) waiter.versions.add(version);
  }
}

function join(ring: LinkedList<Waiter>, byKey: Map<string, Waiter>, key: string): Waiter {
  let waiter = byKey.get(key);
  if (waiter === undefined) {
    waiter = new Waiter(key);
    byKey.set(key, waiter);
    ring.pushBack(waiter.place);
  }
  return waiter;
}

/** What is left of its credit is lost: nobody saves up by coming and going. */
function leave(ring: LinkedList<Waiter>, byKey: Map<string, Waiter>, waiter: Waiter): void {
  ring.remove(waiter.place);
  byKey.delete(waiter.key);
}

function passOn(ring: LinkedList<Waiter>, waiter: Waiter): void {
  waiter.credit += QUANTUM_MB;
  ring.pushBack(waiter.place);
}
