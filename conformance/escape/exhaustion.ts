import type { SandboxSpec } from '../../src/core/ports/sandbox.ts';
import type { Attempt } from './attempts.ts';

/** A way to take more than was given. `roomy`: a sandbox that was given enough for it. */
export interface Exhaustion extends Pick<Attempt, 'what' | 'language' | 'script'> {
  readonly roomy: Partial<SandboxSpec>;
}

const LIMITS = { memoryMb: 256, cpu: 1, pids: 64 };

export const EXHAUSTIONS: readonly Exhaustion[] = [
  {
    what: 'memory: no more than was given',
    language: 'python',
    script: () => `
kept = []
for mb in range(400): kept.append(b"x" * (1 << 20))
print("OUT")`,
    roomy: { limits: { ...LIMITS, memoryMb: 768 } },
  },
  {
    what: 'processes: no more than were given',
    language: 'python',
    script: () => `
import os, time
for n in range(300):
    try:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    except OSError as error:
        print(n, error)
        os._exit(0)
print("OUT", flush=True)
os._exit(0)`,
    roomy: { limits: { ...LIMITS, pids: 512 } },
  },
  {
    what: 'disk: /tmp holds no more than it has',
    language: 'shell',
    script: () => 'dd if=/dev/zero of=/tmp/large bs=1M count=80 2>/dev/null && echo OUT',
    roomy: { diskMb: 128 },
  },
  {
    what: 'inodes: /tmp holds a bounded number of files',
    language: 'python',
    script: () => `
for n in range(12000):
    open("/tmp/f" + str(n), "w").close()
print("OUT")`,
    roomy: { diskMb: 512 },
  },
];

/** Leaves a process that nothing waits for, in a session of its own; prints when it runs. */
export const STAYER: Attempt = {
  what: 'a process that stays',
  language: 'python',
  script: ({ marker }) => `
import os, time
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sh", ["/bin/sh", "-c", "while :; do sleep 1; done", "stays-${marker}"])
time.sleep(0.2)`,
  withoutGuard: () => '',
};
