import { connect, type Platform } from '../conformance/start.ts';

/** A platform of its own for one measurement, whose agent is tuned so; stopped afterwards. */
export async function onOwnPlatform<T>(
  agent: Readonly<Record<string, number>>,
  measure: (platform: Platform) => Promise<T>,
): Promise<T> {
  const before = process.env.TIDEMILL_TUNING;
  process.env.TIDEMILL_TUNING = JSON.stringify({ agent });
  const platform = await connect().finally(() => {
    if (before === undefined) delete process.env.TIDEMILL_TUNING;
    else process.env.TIDEMILL_TUNING = before;
  });
  try {
    return await measure(platform);
  } finally {
    await platform.close();
  }
}

/** No sandbox waits without a runtime: a function that cannot use a booted one starts from scratch. */
export const NOTHING_BARE = { bareDepth: 0 } as const;
