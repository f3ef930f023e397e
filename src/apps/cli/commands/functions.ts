import { fcPath } from '../api/fc-client.ts';
import type { FunctionShape, TriggerShape } from '../api/fc-shapes.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import { bytesText, table } from '../terminal/text.ts';

/** `tidemill functions ls`. */
export async function listFunctions(context: Context, options: { readonly prefix?: string }): Promise<number> {
  const functions = await Array.fromAsync(
    context.client.pages<FunctionShape>('ListFunctions', fcPath`/functions`, 'functions', { prefix: options.prefix }),
  );
  context.output.answer({ functions }, () =>
    functions.length === 0
      ? 'no functions yet; deploy one: tidemill deploy DIR'
      : table(
          ['NAME', 'RUNTIME', 'MEMORY', 'CPU', 'TIMEOUT', 'CODE', 'CHANGED'],
          functions.map((one) => [
            one.functionName,
            one.runtime,
            `${one.memorySize} MB`,
            String(one.cpu),
            `${one.timeout} s`,
            bytesText(one.codeSize),
            one.lastModifiedTime,
          ]),
        ),
  );
  return EXIT.ok;
}

/** `tidemill functions get`. */
export async function getFunction(
  context: Context,
  name: string,
  options: { readonly qualifier?: string },
): Promise<number> {
  const path = fcPath`/functions/${name}`;
  const fn = await context.client.call<Record<string, unknown>>('GetFunction', 'GET', path, {
    query: { qualifier: options.qualifier },
  });
  const triggers = await Array.fromAsync(
    context.client.pages<TriggerShape>('ListTriggers', fcPath`/functions/${name}/triggers`, 'triggers'),
  );
  context.output.answer({ ...fn, triggers }, () => {
    const shown = Object.entries(fn).map(([field, value]) => [
      field,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    const connected = triggers.map((one) => [
      `trigger ${one.triggerName}`,
      one.httpTrigger?.urlInternet ?? `${one.triggerType} ${one.triggerConfig}`,
    ]);
    return table(['FIELD', 'VALUE'], [...shown, ...connected]);
  });
  return EXIT.ok;
}
