import { auditRoutes } from './audit-routes.ts';
import { type FunctionRoute, functionRoutes } from './function-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { queueRoutes } from './queue-routes.ts';
import { replayRoutes } from './replay-routes.ts';

/** Every signed route below `/tidemill/v1`. */
export const opsRoutes: readonly FunctionRoute[] = [
  ...functionRoutes,
  ...queueRoutes,
  ...replayRoutes,
  ...policyRoutes,
  ...auditRoutes,
];
