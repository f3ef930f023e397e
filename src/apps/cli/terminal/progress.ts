import type { Output } from './output.ts';

/** One thing to do, shown while it runs. */
export interface Step {
  readonly title: string;
  /** `say` shows how far it is; what it resolves with replaces the title. */
  /** Whether what it says is worth a line of its own in a log; off for percentages. */
  readonly milestones?: boolean;
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
  // A terminal that does not tell its width gets plain lines.
  const live = process.stderr.isTTY && process.stderr.columns >= 40 && process.env.TERM !== 'dumb';
  const list = new Listr(
    steps.map((step) => ({
      title: step.title,
      task: async (_context: unknown, task: { title: string | undefined; output: string | undefined }) => {
        const done = await shortened(
          step.run((text) => {
            if (live) task.title = `${step.title}: ${text}`;
            else if (step.milestones === true) task.output = text;
          }),
        );
        if (done !== undefined) task.title = done;
      },
    })),
    live
      ? { renderer: 'default', fallbackRendererCondition: false, rendererOptions: { logger, collapseErrors: false } }
      : { renderer: 'simple', rendererOptions: { logger } },
  );
  try {
    await list.run();
  } catch (error) {
    throw error instanceof Shortened ? error.cause : error;
  }
}

/** The list shows the first line of what went wrong; whoever runs the list shows the rest. */
class Shortened extends Error {}

async function shortened<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new Shortened(line, { cause: error });
  }
}
