import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { EXIT, Failure, usage } from '../failure.ts';
import { actionFits } from './manifest.ts';

type Moment = 'pre' | 'success' | 'fail' | 'complete';

/** One `- run: COMMAND` of an `actions` block. */
interface ShellStep {
  readonly run: string;
  readonly path: string;
  readonly allowFailure: boolean;
}

/**
 * The shell steps of an `actions` block for a moment of a command (`pre-deploy`, `pre-${regex('deploy|remove')}`, FC reference 8.1). Steps of
 * other kinds (plugin, component) are refused: they need the vendor's own tool.
 */
function shellSteps(actions: Readonly<Record<string, unknown>>, moment: Moment, command: string): ShellStep[] {
  const steps: ShellStep[] = [];
  for (const [key, list] of Object.entries(actions)) {
    if (!key.startsWith(`${moment}-`) || !actionFits(key.slice(moment.length + 1), command)) continue;
    if (!Array.isArray(list)) throw usage(`actions.${key} must be a list of steps`);
    for (const step of list as Readonly<Record<string, unknown>>[]) {
      if (typeof step.run !== 'string') {
        throw usage(
          `actions.${key} has a step without 'run'`,
          'Tidemill runs shell steps only; call what a plugin or component did with `run`.',
        );
      }
      steps.push({
        run: step.run,
        path: typeof step.path === 'string' ? step.path : '.',
        allowFailure: step.allow_failure === true,
      });
    }
  }
  return steps;
}

/** Runs the shell steps of a moment one after the other in the manifest's folder; their output goes to stderr. */
export async function runActions(
  actions: Readonly<Record<string, unknown>>,
  moment: Moment,
  command: string,
  folder: string,
): Promise<void> {
  for (const { run, path, allowFailure } of shellSteps(actions, moment, command)) {
    const code = await shell(run, resolve(folder, path));
    if (code === 0 || allowFailure) continue;
    throw new Failure(EXIT.failed, `the action '${run}' (${moment}-${command}) ended with exit code ${code}`, {
      code: 'ActionFailed',
      culprit: 'caller',
      remedy: 'Correct the command, or give the step allow_failure: true.',
    });
  }
}

function shell(command: string, folder: string): Promise<number> {
  return new Promise((done, reject) => {
    const child = spawn(command, { cwd: folder, shell: true, stdio: ['ignore', 2, 2] });
    child.on('error', reject);
    child.on('exit', (code) => done(code ?? 1));
  });
}
