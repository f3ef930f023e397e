import type { ServerResponse } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';
import type { OpenDoorDeps } from './door.ts';
import { type FunctionRequest, type FunctionRoute, sendJson } from './function-routes.ts';

/** Signed routes about rights, below `/tidemill/v1`. */
export const policyRoutes: readonly FunctionRoute[] = [
  {
    method: 'POST',
    path: '/policy/simulate',
    query: [],
    action: 'ram:SimulatePolicy',
    about: 'account',
    body: true,
    run: simulate,
  },
];

const MEMBERS = ['principal', 'policies', 'session', 'action', 'resource', 'context'];

/** `{effect, by, reason, considered}`; nothing is done. */
async function simulate(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { body } = request;
  const strange = Object.keys(body).find((name) => !MEMBERS.includes(name));
  if (strange !== undefined) throw wrong(strange, `is unknown; known are ${MEMBERS.join(', ')}`);
  const { decision, considered } = deps.simulation.simulate(request.account, {
    principal: textOf(body, 'principal'),
    policies: policiesOf(body['policies']),
    session: textOf(body, 'session'),
    action: required(body, 'action', /^[a-z0-9-]+:[A-Za-z0-9]+$/i, 'of the form SERVICE:ACTION'),
    resource: required(body, 'resource', /^acs:[^:]*:[^:]*:[^:]*:./s, 'of the form acs:SERVICE:REGION:ACCOUNT:NAME'),
    context: contextOf(body['context']),
  });
  sendJson(res, request, { ...decision, considered });
}

type Body = FunctionRequest['body'];

function textOf(body: Body, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw wrong(name, 'must be a string');
}

function required(body: Body, name: string, form: RegExp, described: string): string {
  const value = textOf(body, name);
  if (value !== undefined && form.test(value)) return value;
  throw wrong(name, `must be ${described}`);
}

function policiesOf(value: unknown): readonly { readonly name: string; readonly document: string }[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong('policies', 'must be a list of {name, document}');
  return value.map((each: unknown) => {
    const { name, document } = isObject(each) ? each : {};
    if (typeof name === 'string' && typeof document === 'string') return { name, document };
    throw wrong('policies', 'must be a list of {name, document}, both strings');
  });
}

function contextOf(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw wrong('context', 'must be an object of strings');
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      if (typeof each === 'string') return [key, each];
      throw wrong(`context.${key}`, 'must be a string');
    }),
  );
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(name: string, what: string): TidemillError {
  return new TidemillError('InvalidArgument', `The member '${name.slice(0, 100)}' ${what}`);
}
