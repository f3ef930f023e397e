/** A place in a LinkedList. Made once per item and reused: linking and unlinking allocate nothing. */
export class ListNode<T> {
  readonly item: T;
  previous: ListNode<T> | undefined = undefined;
  next: ListNode<T> | undefined = undefined;
  list: LinkedList<T> | undefined = undefined;

  constructor(item: T) {
    this.item = item;
  }

  /** Takes the node out of the list it is in; nothing when it is in none. O(1). */
  unlink(): void {
    this.list?.remove(this);
  }
}

/** Doubly linked list whose nodes know their place, so that any member leaves in O(1). A node is in one list at a time. */
export class LinkedList<T> {
  size = 0;
  private head: ListNode<T> | undefined = undefined;
  private tail: ListNode<T> | undefined = undefined;

  get first(): T | undefined {
    return this.head?.item;
  }

  get firstNode(): ListNode<T> | undefined {
    return this.head;
  }

  get last(): T | undefined {
    return this.tail?.item;
  }

  /** Moves the node to the front, from wherever it was. */
  pushFront(node: ListNode<T>): void {
    if (node === this.head) return;
    node.unlink();
    node.list = this;
    node.next = this.head;
    if (this.head === undefined) this.tail = node;
    else this.head.previous = node;
    this.head = node;
    this.size++;
  }

  /** Moves the node to the back, from wherever it was. */
  pushBack(node: ListNode<T>): void {
    if (node === this.tail) return;
    node.unlink();
    node.list = this;
    node.previous = this.tail;
    if (this.tail === undefined) this.head = node;
    else this.tail.next = node;
    this.tail = node;
    this.size++;
  }

  remove(node: ListNode<T>): void {
    if (node.list !== this) return;
    if (node.previous === undefined) this.head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.tail = node.previous;
    else node.next.previous = node.previous;
    node.previous = undefined;
    node.next = undefined;
    node.list = undefined;
    this.size--;
  }

  /** Removes and answers the first item. */
  shift(): T | undefined {
    const node = this.head;
    if (node === undefined) return undefined;
    this.remove(node);
    return node.item;
  }

  /** Front to back. The current item may be removed while iterating, others not. */
  *[Symbol.iterator](): Iterator<T> {
    let node = this.head;
    while (node !== undefined) {
      const next: ListNode<T> | undefined = node.next;
      yield node.item;
      node = next;
    }
  }

  /** Back to front, otherwise as the iterator. */
  *backwards(): Iterable<T> {
    let node = this.tail;
    while (node !== undefined) {
      const previous: ListNode<T> | undefined = node.previous;
      yield node.item;
      node = previous;
    }
  }
}
