import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { usage } from '../failure.ts';
import { resourcesNamed } from './expression.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One resource of a Serverless Devs file, its variables still unresolved. */
export interface Resource {
  readonly name: string;
  readonly component: 'fc3' | 'fc3-domain';
  readonly props: Fields;
  readonly actions: Fields;
}

/** A Serverless Devs file of edition 3.0.0 (FC reference 8.1). */
export interface Manifest {
  readonly path: string;
  readonly folder: string;
  readonly vars: unknown;
  readonly actions: Fields;
  /** In the order to deploy: what a resource refers to comes before it. */
  readonly resources: readonly Resource[];
}

/** The manifest of a folder, `s.yaml` before `s.yml`; undefined when it has none. */
export function findManifest(folder: string): string | undefined {
  return ['s.yaml', 's.yml'].map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Reads a file; throws a usage Failure that names the place. */
export function readManifest(path: string): Manifest {
  const document = load(resolve(path), []);
  if (document.services !== undefined) {
    throw usage(
      `${path} is of edition 1.0.0 ('services')`,
      'Convert it to edition 3.0.0, e.g. with `s cli fc3 s2tos3`.',
    );
  }
  const listed = fields(document.resources, 'resources', path);
  const templates = document.template === undefined ? {} : fields(document.template, 'template', path);
  const resources = Object.entries(listed).map(([name, value]) => readResource(name, value, templates, path));
  if (resources.length === 0) throw usage(`${path} has no resources`);
  return {
    path,
    folder: dirname(resolve(path)),
    vars: document.vars ?? {},
    actions: document.actions === undefined ? {} : fields(document.actions, 'actions', path),
    resources: order(resources, document.flow, path),
  };
}

/** The document with the file that its own `extend` names merged in. */
function load(path: string, above: readonly string[]): Fields {
  if (above.includes(path)) throw usage(`${path} extends itself`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usage(`cannot read ${path}: ${(error as Error).message}`);
  }
  const document = parseDocument(text, { merge: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw usage(`${path} is not valid YAML: ${problem.message}`);
  const content = fields(document.toJS(), 'the file', path);
  if (content.extend === undefined) return content;
  const { extend, ...rest } = content;
  if (typeof extend !== 'string') throw usage(`extend in ${path} must be the path of a file`);
  return fields(merge(load(resolve(dirname(path), extend), [...above, path]), rest), 'the file', path);
}

function readResource(name: string, value: unknown, templates: Fields, path: string): Resource {
  const resource = fields(value, `resources.${name}`, path);
  const component = componentOf(resource.component, name, path);
  const props = resource.props === undefined ? {} : fields(resource.props, `resources.${name}.props`, path);
  return {
    name,
    component,
    props: fields(extended(props, resource.extend, templates, name, path), `resources.${name}.props`, path),
    actions: resource.actions === undefined ? {} : fields(resource.actions, `resources.${name}.actions`, path),
  };
}

function componentOf(component: unknown, name: string, path: string): Resource['component'] {
  if (typeof component === 'string') {
    if (/^(devsapp\/)?fc3(@.*)?$/.test(component)) return 'fc3';
    if (/^(devsapp\/)?fc3-domain(@.*)?$/.test(component)) return 'fc3-domain';
  }
  throw usage(
    `the resource '${name}' in ${path} has the component '${String(component)}'`,
    'Tidemill deploys the components fc3 and fc3-domain; move the rest to a file of its own.',
  );
}

/** `extend: {name, ignore}`: props of the template below those of the resource; `ignore` names props that are not taken. */
function extended(props: Fields, extend: unknown, templates: Fields, name: string, path: string): unknown {
  if (extend === undefined) return props;
  const { name: wanted, ignore = [] } = fields(extend, `resources.${name}.extend`, path);
  const template = templates[String(wanted)];
  if (template === undefined)
    throw usage(`the resource '${name}' in ${path} extends '${String(wanted)}', which is no template`);
  const kept: unknown = structuredClone(template);
  for (const field of Array.isArray(ignore) ? ignore : []) remove(kept, String(field).split('.'));
  return merge(kept, props);
}

function remove(value: unknown, path: readonly string[]): void {
  const [name, ...rest] = path;
  if (name === undefined || typeof value !== 'object' || value === null) return;
  const holder = value as Record<string, unknown>;
  if (rest.length === 0) delete holder[name];
  else remove(holder[name], rest);
}

/** Objects are merged, everything else is replaced. */
function merge(below: unknown, above: unknown): unknown {
  if (!isFields(below) || !isFields(above)) return above === undefined ? below : above;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) merged[key] = key in merged ? merge(merged[key], value) : value;
  return merged;
}

/** By the file's `flow.deploy` when it has one, else as listed, what is referred to first. */
function order(resources: readonly Resource[], flow: unknown, path: string): readonly Resource[] {
  const first = flowOrder(flow, resources, path);
  const listed = [...first, ...resources.filter((resource) => !first.includes(resource))];
  const done: Resource[] = [];
  const visit = (resource: Resource, above: readonly string[]): void => {
    if (done.includes(resource)) return;
    if (above.includes(resource.name))
      throw usage(`in ${path}, resources need each other in a circle: ${[...above, resource.name].join(' -> ')}`);
    for (const needed of needs(resource, path)) {
      const found = resources.find((candidate) => candidate.name === needed);
      if (found !== undefined && found !== resource) visit(found, [...above, resource.name]);
    }
    done.push(resource);
  };
  for (const resource of listed) visit(resource, []);
  return done;
}

function needs(resource: Resource, path: string): Iterable<string> {
  try {
    return resourcesNamed(resource.props);
  } catch (error) {
    throw usage(
      `in ${path}, the resource '${resource.name}' has an expression that is not understood: ${(error as Error).message}`,
    );
  }
}

/** `flow: {deploy: [a, [b, c]]}`, the key also as `${regex('.')}`. */
function flowOrder(flow: unknown, resources: readonly Resource[], path: string): readonly Resource[] {
  if (!isFields(flow)) return [];
  const steps = Object.entries(flow).find(([key]) => actionFits(key, 'deploy'))?.[1];
  if (!Array.isArray(steps)) return [];
  return steps.flat().map((name: unknown) => {
    const found = resources.find((resource) => resource.name === name);
    if (found === undefined) throw usage(`flow in ${path} names '${String(name)}', which is no resource`);
    return found;
  });
}

/** Whether a key that may be `${regex('...')}` means a command. */
export function actionFits(key: string, command: string): boolean {
  const regex = /^\$\{regex\(\s*['"](.*)['"]\s*\)\}$/.exec(key)?.[1];
  return regex === undefined ? key === command : new RegExp(regex).test(command);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fields(value: unknown, what: string, path: string): Fields {
  if (isFields(value)) return value;
  throw usage(`${what} in ${path} must be a map of names to values`);
}
