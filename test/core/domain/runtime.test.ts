import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { handlerProblem } from '../../../src/core/domain/runtime.ts';

describe('handlers', () => {
  for (const handler of [
    'index.handler',
    'src/index.handler',
    'a.b.c',
    'my-file._x',
    'package.module.method',
    'index.$h',
  ]) {
    it(`'${handler}' is valid`, () => assert.equal(handlerProblem('nodejs20', handler), undefined));
  }
  for (const handler of [
    'handler',
    '.handler',
    'index.',
    '/index.handler',
    '../index.handler',
    'a/../../b.c',
    'a b.c',
    'index.a-b',
    '',
  ]) {
    it(`'${handler}' is refused for built-in runtimes only`, () => {
      assert.match(handlerProblem('python3.10', handler) ?? '', /file\.method/);
      assert.equal(handlerProblem('custom.debian12', handler), undefined);
    });
  }
});
