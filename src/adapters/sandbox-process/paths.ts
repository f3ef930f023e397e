export interface Shown {
  readonly source: string;
  readonly target: string;
}

/**
 * Where `path` really is when `shown` cannot be mounted: below a target it is the same place below its source; anything
 * else stays. Pure.
 */
export function realPath(path: string, shown: readonly Shown[]): string {
  const hit = shown.find(({ target }) => path === target || path.startsWith(`${target}/`));
  return hit === undefined ? path : hit.source + path.slice(hit.target.length);
}

/** As `realPath`, for an argument that may be an option with a path behind `=`. */
export function realArgument(argument: string, shown: readonly Shown[]): string {
  const option = /^(-[^=]*=)(\/.*)$/s.exec(argument);
  return option === null ? realPath(argument, shown) : (option[1] ?? '') + realPath(option[2] ?? '', shown);
}
