import type { Logger, LogLevel } from '../../core/base/log.ts';

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes one JSON line per entry: `{"time","level","process","message",...fields}`. Entries below `least` are dropped. */
export function createStreamLogger(options: {
  readonly process: string;
  readonly least: LogLevel;
  readonly write: (line: string) => void;
}): Logger {
  return {
    log(level, message, fields) {
      if (RANK[level] < RANK[options.least]) return;
      const entry = { time: new Date().toISOString(), level, process: options.process, message, ...fields };
      options.write(`${JSON.stringify(entry)}\n`);
    },
  };
}

/** The least level to log, from a setting such as TIDEMILL_LOG; anything unknown means `info`. */
export function logLevelOf(setting: string | undefined): LogLevel {
  return setting === 'debug' || setting === 'warn' || setting === 'error' ? setting : 'info';
}
