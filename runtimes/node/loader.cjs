'use strict';
const path = require('node:path');
const { NamedError } = require('./errors.cjs');

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Replaces the process environment by the function's own and points module search at the layers (FC reference 3.3).
 * PATH and LD_LIBRARY_PATH get the documented folders only when the platform has not composed them.
 * @param {Record<string, string>} env
 * @param {string} codePath
 */
function applyEnvironment(env, codePath) {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  for (const name of Object.keys(env)) process.env[name] = env[name];
  process.env.PATH ??= `${codePath}/bin:/opt/bin:${DEFAULT_PATH}`;
  process.env.LD_LIBRARY_PATH ??= `${codePath}:${codePath}/lib:/opt/lib`;
  const folders = [process.env.NODE_PATH, '/opt/nodejs/node_modules', `${codePath}/node_modules`];
  process.env.NODE_PATH = folders.filter(Boolean).join(':');
  const reread = '_initPaths'; // the only way to have NODE_PATH read again; it is in every version that is served here
  /** @type {Record<string, any>} */ (require('node:module'))[reread]();
  process.chdir(codePath);
}

/**
 * The function named `file.method` below `codePath` (FC reference 4.1). CommonJS and ES modules by extension and
 * package.json; modules are loaded once, so handler and hooks share their state.
 * @param {string} codePath
 * @param {string} handler
 * @returns {Promise<Function> | Function}
 */
function loadHandler(codePath, handler) {
  const dot = handler.lastIndexOf('.');
  const name = handler.slice(0, dot);
  const method = handler.slice(dot + 1);
  const file = path.resolve(codePath, name);
  if (dot <= 0 || method === '' || !`${file}/`.startsWith(`${path.resolve(codePath)}/`)) {
    throw new NamedError('InvalidHandlerName', `Invalid handler '${handler}'`);
  }
  const exported = loadModule(file);
  const pick = (/** @type {any} */ module) => pickMethod(module, method, name);
  return exported instanceof Promise ? exported.then(pick) : pick(exported);
}

/** @param {string} file without extension @returns {any} the exports, or a promise of an ES module's namespace */
function loadModule(file) {
  const found = locate(file);
  if (found === undefined) throw moduleNotFound(`${file}.js`);
  if (found.endsWith('.mjs') || (found.endsWith('.js') && isModulePackage(path.dirname(found)))) return importModule(found);
  try {
    return require(found);
  } catch (error) {
    const code = /** @type {any} */ (error)?.code;
    if (code === 'ERR_REQUIRE_ESM' || code === 'ERR_REQUIRE_ASYNC_MODULE') return importModule(found);
    throw error;
  }
}

/** @param {string} file @returns {string | undefined} */
function locate(file) {
  const { statSync } = require('node:fs');
  for (const extension of ['.js', '.mjs', '.cjs']) {
    if (statSync(file + extension, { throwIfNoEntry: false })?.isFile()) return file + extension;
  }
  return undefined;
}

/** True when the nearest package.json says `"type": "module"`. @param {string} folder @returns {boolean} */
function isModulePackage(folder) {
  const { readFileSync } = require('node:fs');
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      return JSON.parse(readFileSync(path.join(at, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (/** @type {any} */ (error)?.code !== 'ENOENT') return false; // a broken package.json decides nothing
    }
    if (at === path.dirname(at)) return false;
  }
}

/** @param {string} file */
function importModule(file) {
  return import(require('node:url').pathToFileURL(file).href);
}

/** @param {string} file */
function moduleNotFound(file) {
  const error = new Error(`Cannot find module '${file}'`);
  return Object.assign(error, { code: 'MODULE_NOT_FOUND', stack: `Error: ${error.message}` });
}

/** @param {any} module @param {string} method @param {string} name @returns {Function} */
function pickMethod(module, method, name) {
  const found = module?.[method] ?? module?.default?.[method];
  if (typeof found !== 'function') {
    throw new NamedError('HandlerNotFound', `Handler '${method}' is missing on module '${name}'`);
  }
  return found;
}

/**
 * How a function can answer, judged once from its text. `mayCallBack`: it declares the callback parameter, or its text does
 * not tell; one that cannot is finished when it returns. `callsBack`: it mentions the callback in its body, so that a
 * promise of undefined does not yet mean that it has answered.
 * @param {Function} fn
 * @param {number} position index of the callback parameter
 * @returns {{mayCallBack: boolean, callsBack: boolean}}
 */
function answerStyle(fn, position) {
  const text = Function.prototype.toString.call(fn);
  const parameters = parameterText(text);
  if (fn.length <= position && !/\barguments\b|\.\.\.|\[native code\]|=/.test(parameters)) {
    return { mayCallBack: false, callsBack: false };
  }
  const name = /^[\s(]*([A-Za-z_$][\w$]*)/.exec(parameters.slice(parameters.indexOf('(')).split(',')[position] ?? '')?.[1];
  return { mayCallBack: true, callsBack: name !== undefined && text.split(name).length > 2 };
}

/** The declaration up to the body; the whole text where only the body can tell. @param {string} text */
function parameterText(text) {
  if (text.includes('[native code]') || /\barguments\b/.test(text)) return text;
  const arrow = text.indexOf('=>');
  const body = text.indexOf('{');
  const end = arrow >= 0 && (body < 0 || arrow < body) ? arrow : body;
  return text.slice(0, end < 0 ? text.length : end);
}

exports.applyEnvironment = applyEnvironment;
exports.loadHandler = loadHandler;
exports.answerStyle = answerStyle;
