/** `YYYY-MM-DDTHH:MM:SSZ` in UTC, the field's form of every time that is not a number (FC reference 1.10). */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
