import { fcPath } from '../api/fc-client.ts';
import type { TriggerShape } from '../api/fc-shapes.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import { table } from '../terminal/text.ts';

export async function listTriggers(context: Context, name: string): Promise<number> {
  const triggers = await Array.fromAsync(
    context.client.pages<TriggerShape>('ListTriggers', fcPath`/functions/${name}/triggers`, 'triggers'),
  );
  context.output.answer({ triggers }, () =>
    triggers.length === 0
      ? `${name} has no triggers`
      : table(
          ['NAME', 'TYPE', 'QUALIFIER', 'WHAT'],
          triggers.map((one) => [
            one.triggerName,
            one.triggerType,
            one.qualifier,
            one.httpTrigger?.urlInternet ??
              [one.sourceArn, one.triggerConfig].filter((part) => part !== undefined && part !== '').join(' '),
          ]),
        ),
  );
  return EXIT.ok;
}

export async function deleteTrigger(context: Context, name: string, trigger: string): Promise<number> {
  await context.client.call('DeleteTrigger', 'DELETE', fcPath`/functions/${name}/triggers/${trigger}`);
  context.output.answer(
    { deleted: true, functionName: name, triggerName: trigger },
    () => `the trigger ${trigger} of ${name} is deleted`,
  );
  return EXIT.ok;
}
