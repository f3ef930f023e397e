import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Considered, Decision } from '../../../core/domain/policy/decision.ts';
import { opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { table } from '../terminal/text.ts';

export interface SimulateOptions {
  readonly principal?: string;
  readonly policy?: readonly string[];
  readonly session?: string;
  readonly condition?: readonly string[];
}

type Answer = Decision & { readonly considered: readonly Considered[] };

/** `tidemill policy simulate`: 0 when it would be allowed, 1 when not. */
export async function simulatePolicy(
  context: Context,
  action: string,
  resource: string,
  options: SimulateOptions,
): Promise<number> {
  const { principal, policy = [], session, condition = [] } = options;
  if (principal === undefined && policy.length === 0) {
    throw usage(
      'it is not said whose rights to look at',
      'Name somebody with --principal, or a document with --policy.',
    );
  }
  const policies = await Promise.all(
    policy.map(async (file) => ({ name: basename(file), document: await textOf(file) })),
  );
  const body = {
    ...(principal === undefined ? {} : { principal }),
    policies,
    ...(session === undefined ? {} : { session: await textOf(session) }),
    action,
    resource,
    context: Object.fromEntries(condition.map(pairOf)),
  };
  const answer = await context.client.call<Answer>('SimulatePolicy', 'POST', opsPath`/policy/simulate`, { body });
  context.output.answer(answer, () => answerText(answer));
  return answer.effect === 'allow' ? EXIT.ok : EXIT.failed;
}

function answerText(answer: Answer): string {
  const lines = [`${answer.effect}: ${answer.reason}`];
  const others = answer.considered.map((each) => [
    each.policy,
    each.source,
    String(each.statement),
    each.statementEffect,
    each.mismatch ?? 'matches',
  ]);
  if (others.length > 0) lines.push('', table(['POLICY', 'SOURCE', 'STATEMENT', 'EFFECT', 'WHY'], others));
  return lines.join('\n');
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: Error) => {
    throw usage(`the policy cannot be read: ${error.message}`);
  });
}

function pairOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usage(`--condition ${text}: it has no value`, 'Write it as acs:SourceIp=10.0.0.1.');
}
