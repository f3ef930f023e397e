import { STATUS_CODES } from 'node:http';

/** Anything that would end a header line or is no Latin-1 text. */
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** How the head of an answer ends. */
export interface Closing {
  /** Whether the connection is closed after this answer. */
  readonly close: boolean;
  /** How long an idle connection is kept, seconds. */
  readonly keepAliveSeconds: number;
  readonly nowMs: number;
}

/** Status line and headers (names and values alternating) as Node writes them, with the blank line. Throws on values that are no header values. */
export function answerHead(status: number, headers: readonly string[], closing: Closing): string {
  let head = status === 200 ? 'HTTP/1.1 200 OK\r\n' : `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${checked(headers[i + 1] ?? '')}\r\n`;
  const connection = closing.close
    ? 'Connection: close\r\n\r\n'
    : `Connection: keep-alive\r\nKeep-Alive: timeout=${closing.keepAliveSeconds}\r\n\r\n`;
  return `${head}Date: ${dateText(closing.nowMs)}\r\n${connection}`;
}

function checked(value: string): string {
  if (NOT_A_VALUE.test(value)) throw new TypeError('a header of the answer has characters that are not allowed');
  return value;
}

let dateSecond = Number.NaN;
let date = '';

function dateText(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(nowMs).toUTCString();
  }
  return date;
}
