import { asyncConfigOperations, concurrencyOperations } from './config-operations.ts';
import { functionOperations } from './function-operations.ts';
import { instanceOperations } from './instance-operations.ts';
import { layerOperations } from './layer-operations.ts';
import type { Operation } from './operation.ts';
import { refusedOperations } from './refused-operations.ts';
import { reservedInstanceOperations } from './reserved-operations.ts';
import { sessionOperations } from './session-operations.ts';
import { tagOperations } from './tag-operations.ts';
import { taskOperations } from './task-operations.ts';
import { triggerOperations } from './trigger-operations.ts';
import { aliasOperations, versionOperations } from './version-operations.ts';

/** Every operation of FC reference section 1 except InvokeFunction, which invocation.ts serves. */
export const operations: readonly Operation[] = [
  ...functionOperations,
  ...versionOperations,
  ...aliasOperations,
  ...layerOperations,
  ...triggerOperations,
  ...concurrencyOperations,
  ...asyncConfigOperations,
  ...reservedInstanceOperations,
  ...instanceOperations,
  ...taskOperations,
  ...sessionOperations,
  ...tagOperations,
  ...refusedOperations,
];
