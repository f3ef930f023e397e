import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HealthCheckConfig } from '../domain/function.ts';
import type { Load } from '../protocol/runtime-frames.ts';
import { LinkBrokenError } from './instance-link.ts';
import { type RuntimeControl, RuntimeTimeoutError } from './runtime-control.ts';

/**
 * What the function under control does. Its pre-stop hook always succeeds. Its initializer, by the exercise: `works`; `fails`
 * with the message `no database`; `hangs`; `exits` ends the process.
 */
export type ControlExercise = 'works' | 'fails' | 'hangs' | 'exits';

/** A fresh runtime that runs the exercise and was dialled, with nothing loaded yet. */
export interface ExercisedControl extends AsyncDisposable {
  readonly control: RuntimeControl;
  /** The load order that makes the exercise known to it. */
  readonly load: Load;
  /** Ends the runtime's process; resolves once nothing is left that could answer. */
  kill(): Promise<void>;
}

const PATIENCE_MS = 20_000;
/** Long enough for a runtime that lives to have started on the step, far below the patience of the other steps. */
const SHORT_MS = 100;
const CHECK: HealthCheckConfig = {
  httpGetUrl: '/health',
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 10,
  failureThreshold: 1,
  successThreshold: 1,
};
const credentials = { accessKeyId: 'ak', accessKeySecret: 'sk', securityToken: 'st' };

/** What every RuntimeControl promises. `start` makes a new runtime for each test. */
export function runtimeControlSuite(
  name: string,
  start: (exercise: ControlExercise) => Promise<ExercisedControl>,
): void {
  const check = (what: string, exercise: ControlExercise, body: (given: ExercisedControl) => Promise<void>): void =>
    void it(what, async () => {
      await using given = await start(exercise);
      await body(given);
    });
  const loaded = (what: string, exercise: ControlExercise, body: (given: ExercisedControl) => Promise<void>): void =>
    check(what, exercise, async (given) => {
      assert.equal((await given.control.load(given.load, PATIENCE_MS)).ok, true);
      await body(given);
    });
  const initialize = (control: RuntimeControl, timeoutMs = PATIENCE_MS) =>
    control.initialize({ requestId: '1-suite', credentials }, timeoutMs);

  describe(`RuntimeControl: ${name}`, { timeout: 60_000 }, () => {
    check('a life, step by step, each answered with the time it took', 'works', async ({ control, load }) => {
      assert.equal(control.hello.state, 'booted');
      assert.deepEqual(control.hello.busy, []);
      const first = await control.load(load, PATIENCE_MS);
      assert.ok(first.ok && first.ms >= 0);
      const second = await initialize(control);
      assert.ok(second.ok && second.ms >= 0);
      assert.deepEqual(await control.checkHealth(CHECK).then(({ ok }) => ok), true);
      await control.trim(PATIENCE_MS);
      const last = await control.preStop({ requestId: '1-suite' }, PATIENCE_MS);
      assert.ok(last.ok && last.ms >= 0);
    });

    loaded('an initializer that fails is an answer, and the runtime can still be stopped', 'fails', async (given) => {
      const outcome = await initialize(given.control);
      assert.equal(outcome.ok, false);
      assert.match(outcome.error?.errorMessage ?? '', /no database/);
      assert.equal((await given.control.preStop({ requestId: '1-suite' }, PATIENCE_MS)).ok, true);
    });

    loaded(
      'a step that takes too long rejects with RuntimeTimeoutError and says which',
      'hangs',
      async ({ control }) => {
        await assert.rejects(initialize(control, SHORT_MS), (error) => {
          assert.ok(error instanceof RuntimeTimeoutError, String(error));
          assert.match(error.message, /initializer .* 100 ms/);
          return true;
        });
      },
    );

    loaded('a process that ends during a step breaks the step', 'exits', async ({ control }) => {
      await assert.rejects(initialize(control), LinkBrokenError);
    });

    loaded('what has ended is not healthy, says why, and takes no step', 'works', async ({ control, kill }) => {
      await kill();
      const health = await control.checkHealth(CHECK);
      assert.equal(health.ok, false);
      assert.notEqual(health.detail, '');
      await assert.rejects(control.preStop({ requestId: '1-suite' }, PATIENCE_MS), LinkBrokenError);
    });

    loaded(
      'closing breaks the step under way, resolves `closed`, and refuses the next',
      'hangs',
      async ({ control }) => {
        const step = assert.rejects(initialize(control), LinkBrokenError);
        control.close();
        control.close();
        await Promise.all([step, control.closed]);
        await assert.rejects(control.preStop({ requestId: '1-suite' }, PATIENCE_MS), LinkBrokenError);
      },
    );
  });
}
