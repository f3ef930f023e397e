import assert from 'node:assert/strict';
import { type ErrorCode, TidemillError } from '../../../src/core/domain/errors.ts';

/** Asserts that the work is refused with this code and a message that matches, and gives the error. */
export async function refused(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<TidemillError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof TidemillError, `not a TidemillError: ${String((error as Error).stack ?? error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.ok(error.remedy.length > 0);
    return error;
  }
  return assert.fail(`not refused; wanted ${code} ${message}`);
}
