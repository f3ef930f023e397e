export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface GateResult {
  /** How many files were really looked at: a gate that sees none has failed. */
  readonly looked: number;
  readonly findings: readonly Finding[];
}

/** One rule of the house. Each has a planted violation in test/tools/check that it must catch. */
export interface Gate {
  readonly name: string;
  run(root: string): Promise<GateResult>;
}
