import { functionArn } from '../../core/domain/arn.ts';

const MAX_NAMES = 20_000;

/** ARNs of the functions that are called, kept: making one, and looking it up by its letters, costs more than the decision does. */
export class FunctionArns {
  private readonly region: string;
  private readonly byAccount = new Map<string, Map<string, string>>();
  private size = 0;

  constructor(region: string) {
    this.region = region;
  }

  /** `LATEST` is what no qualifier means: both are one name. */
  of(account: string, name: string, qualifier: string | undefined): string {
    const plain = qualifier === undefined || qualifier === 'LATEST';
    const key = plain ? name : `${name}/${qualifier}`;
    return this.byAccount.get(account)?.get(key) ?? this.keep(account, key, plain ? undefined : qualifier, name);
  }

  private keep(account: string, key: string, qualifier: string | undefined, name: string): string {
    if (this.size >= MAX_NAMES) {
      this.byAccount.clear();
      this.size = 0;
    }
    let names = this.byAccount.get(account);
    if (names === undefined) this.byAccount.set(account, (names = new Map()));
    const arn = functionArn(this.region, account, name, qualifier);
    names.set(key, arn);
    this.size++;
    return arn;
  }
}
