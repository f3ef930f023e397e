import type { Output } from './output.ts';

/** One thing to do, shown while it runs. */
export interface Step {
  readonly title: string;
  /** `say` shows how far it is; what it resolves with replaces the title. */
  readonly run: (say: (text: string) => void) => Promise<string | undefined>;
}

/**
 * Runs steps one after the other and shows them on stderr: live where a person looks at a terminal, one line each elsewhere, not at all
 * with `--json`. Rejects with the first step's error; later steps do not run.
 */
export async function runSteps(output: Output, steps: readonly Step[]): Promise<void> {
  if (output.json) {
    for (const step of steps) await step.run(() => {});
    return;
  }
  const { Listr, ListrLogger, ProcessOutput } = await import('listr2');
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) });
  const live = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  const list = new Listr(
    steps.map((step) => ({
      title: step.title,
      task: async (_context: unknown, task: { title: string | undefined; output: string | undefined }) => {
        const done = await step.run((text) => {
          // A log of every percent helps nobody.
          if (live) task.title = `${step.title}: ${text}`;
        });
        if (done !== undefined) task.title = done;
      },
    })),
    live
      ? { renderer: 'default', fallbackRendererCondition: false, rendererOptions: { logger, collapseErrors: false } }
      : { renderer: 'simple', rendererOptions: { logger } },
  );
  await list.run();
}
