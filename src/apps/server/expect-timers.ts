import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { CallForecast } from '../../core/ports/scheduling.ts';

/**
 * Tells the scheduler which version a timer is going to call and when. Of an alias with two versions it is the one with the
 * larger share: which one a call gets is drawn when it comes.
 */
export function expectTimers(parts: {
  readonly catalog: Pick<Catalog, 'alias' | 'spec'>;
  readonly forecast: CallForecast;
  readonly onError: (error: unknown) => void;
}): (trigger: TriggerRecord, at: number) => void {
  const { catalog, forecast, onError } = parts;
  const expect = async ({ account, functionName, qualifier }: TriggerRecord, at: number): Promise<void> => {
    let versionId = qualifier === '' ? 'LATEST' : qualifier;
    if (versionId !== 'LATEST' && !/^\d+$/.test(versionId)) {
      const alias = await catalog.alias(account, functionName, versionId);
      if (alias === undefined) return;
      const other = Object.entries(alias.additionalVersionWeight ?? {}).find(([, weight]) => weight > 0.5);
      versionId = other?.[0] ?? alias.versionId;
    }
    const spec = await catalog.spec(account, functionName, versionId);
    if (spec !== undefined) forecast.expectAt(spec, at);
  };
  return (trigger, at) => void expect(trigger, at).catch(onError);
}
