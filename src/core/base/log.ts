export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The platform's own log (not the functions' output). Fields never hold secrets or payloads. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export const silentLogger: Logger = { log() {} };
