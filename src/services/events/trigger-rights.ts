import { functionArn, roleOfArn } from '../../core/domain/arn.ts';
import { rolePrincipal } from '../../core/domain/credentials.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { Access } from '../../core/ports/access.ts';

/**
 * A trigger with a role invokes as that role, for as long as the role allows it: throws AccessDenied when it does not, or is gone.
 * A trigger without one invokes in its own account by the right of who made it, which was checked then.
 */
export function checkTriggerRights(access: Pick<Access, 'check'>, region: string, trigger: TriggerRecord): void {
  const role = roleOfArn(trigger.invocationRole);
  if (role === undefined) return;
  const { account, functionName, triggerName } = trigger;
  const qualifier = trigger.qualifier === 'LATEST' ? undefined : trigger.qualifier;
  const target = functionArn(region, account, functionName, qualifier);
  access.check(rolePrincipal(role.account, role.name, triggerName), 'fc:InvokeFunction', target);
}
