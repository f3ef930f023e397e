/** Randomness, passed in so that simulations and tests repeat exactly. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Uint8Array;
  /** A float in [0, 1). */
  float(): number;
}
