import { TidemillError } from '../../core/domain/errors.ts';

/** The error for work of an account that the operator has disabled, or that is gone. */
export function accountDisabled(account: string): TidemillError {
  return new TidemillError('AccountDisabled', `the account ${account} is disabled`);
}
