import type { InstanceAddress, InstanceExit } from '../domain/instance.ts';
import type { VersionSpec } from '../domain/version-spec.ts';
import type { ExecRequest } from '../ports/exec.ts';
import type {
  FoundInstance,
  InstanceOutput,
  InstanceUsage,
  NodeInfo,
  NodePressure,
  StartedInstance,
  StartFailure,
  StartOrder,
} from '../ports/node-pool.ts';

/**
 * Messages between server and agent over the agent's Unix socket: the frame format of runtime-frames.ts with JSON payloads.
 * `stream` pairs an answer with its request; events have stream 0. Life-cycle traffic only: calls never pass here.
 */
export const AGENT_FRAME = { request: 0x11, answer: 0x51, event: 0x52 } as const;

/**
 * On a connection whose second request is `exec`, after its answer, in both directions: raw bytes of the session, and JSON for what is
 * no data. Such a connection holds one session and nothing else; who closes it ends the session.
 */
export const EXEC_FRAME = {
  input: 0x12,
  inputEnd: 0x13,
  resize: 0x14,
  stdout: 0x53,
  stderr: 0x54,
  ended: 0x55,
} as const;

export type AgentRequest =
  /** The first request of a connection: the agent shows that it belongs to the installation before it is told anything. */
  | { readonly op: 'prove'; readonly nonce: string }
  /** The second: the server shows the same. */
  | { readonly op: 'hello'; readonly epoch: number; readonly proof: string }
  | { readonly op: 'start'; readonly order: StartOrder }
  | { readonly op: 'stop'; readonly instanceId: string }
  | { readonly op: 'kill'; readonly instanceId: string; readonly reason: 'timeout' | 'killed' }
  | { readonly op: 'freeze' | 'thaw' | 'shrink'; readonly instanceId: string }
  | { readonly op: 'prepare'; readonly spec: VersionSpec }
  /** The second request of a connection of its own, in the place of hello. */
  | { readonly op: 'exec'; readonly proof: string; readonly instanceId: string; readonly request: ExecRequest }
  | { readonly op: 'list' };

export type AgentAnswer =
  | { readonly ok: true; readonly op: 'prove'; readonly nonce: string; readonly proof: string }
  | { readonly ok: true; readonly op: 'hello'; readonly node: NodeInfo }
  | { readonly ok: true; readonly op: 'start'; readonly started: StartedInstance }
  /** Comes before the answer to a start: where the instance will be. */
  | { readonly ok: true; readonly op: 'placed'; readonly address: InstanceAddress }
  | { readonly ok: true; readonly op: 'stop' | 'kill' | 'freeze' | 'thaw' | 'shrink' | 'prepare' | 'exec' }
  /** A long list comes in several answers, all but the last with `more`: a frame has a largest size. */
  | { readonly ok: true; readonly op: 'list'; readonly instances: readonly FoundInstance[]; readonly more?: true }
  | { readonly ok: false; readonly op: 'start'; readonly failure: StartFailure }
  /** `refused`: the caller is told the message; otherwise it is a fault. */
  | { readonly ok: false; readonly op: 'exec'; readonly refused: boolean; readonly message: string }
  | { readonly ok: false; readonly op: string; readonly message: string };

export type AgentEvent =
  | { readonly type: 'exit'; readonly exit: InstanceExit }
  | { readonly type: 'output'; readonly output: InstanceOutput }
  | { readonly type: 'usage'; readonly usages: readonly InstanceUsage[] }
  | { readonly type: 'pressure'; readonly pressure: NodePressure }
  | { readonly type: 'node'; readonly node: NodeInfo };
