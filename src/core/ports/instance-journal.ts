import type { InstanceAddress } from '../domain/instance.ts';
import type { StartedInstance, StartOrder } from './node-pool.ts';

/** What the agent must know about a ready instance to take it over after its own restart. */
export interface InstanceRecord {
  /** Of the sandbox that holds the instance; pooled sandboxes have names of their own. */
  readonly sandboxId: string;
  readonly order: Omit<StartOrder, 'credentials'>;
  readonly address: InstanceAddress;
  readonly started: StartedInstance;
}

/**
 * Remembers ready instances across a crash of the agent, not across a restart of the machine (sandboxes do not survive that
 * either). Promises: `write` is complete or has not happened, wherever the process is killed; `list` skips and removes what
 * cannot be read. Holds no credentials. Synchronous: it is on the cold-start path and touches memory-backed files only.
 */
export interface InstanceJournal {
  write(record: InstanceRecord): void;
  remove(sandboxId: string): void;
  list(): readonly InstanceRecord[];
}
