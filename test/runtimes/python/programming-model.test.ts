import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Load } from '../../../src/core/protocol/runtime-frames.ts';
import { invokeText, loadedRuntime, PYTHON_COMMAND } from '../started-runtime.ts';

type Files = Readonly<Record<string, string>>;

async function once(files: Files, load: Partial<Load> = {}, payload = 'ping') {
  await using started = await loadedRuntime(PYTHON_COMMAND, files, { runtime: 'python3.10', ...load });
  assert.equal(started.loaded.error, undefined);
  const result = await invokeText(started.link, payload, { requestId: 'req-1' });
  return { ...result, codePath: started.runtime.codePath };
}

function handler(body: string): Files {
  return { 'index.py': `def handler(event, context):\n${body.replace(/^/gm, '    ')}\n` };
}

async function loadError(files: Files, load: Partial<Load> = {}) {
  await using started = await loadedRuntime(PYTHON_COMMAND, files, { runtime: 'python3.10', ...load });
  assert.equal(started.loaded.ok, false);
  return { ...started.loaded.error, output: started.output() };
}

const RESULTS: readonly (readonly [what: string, body: string, expected: string])[] = [
  ['bytes as they are', "return b'raw'", 'raw'],
  ['text as it is', "return 'grüße'", 'grüße'],
  ['a bytearray', "return bytearray(b'array')", 'array'],
  ['objects as JSON', "return {'a': [1, None, 'ü']}", '{"a": [1, null, "ü"]}'],
  ['None as JSON', 'pass', 'null'],
  ['decimals as numbers', "import decimal\nreturn [decimal.Decimal('1.5'), decimal.Decimal(2)]", '[1.5, 2]'],
  ['the event as bytes', "return f'{type(event).__name__} {event.decode()}'", 'bytes ping'],
];

describe('Python programming model', { timeout: 60_000 }, () => {
  for (const [what, body, expected] of RESULTS) {
    it(`answers ${what}`, async () => {
      const { text, errorType } = await once(handler(body));
      assert.deepEqual([text, errorType], [expected, undefined]);
    });
  }

  it('gives both spellings of credentials and the shape of 3.10', async () => {
    const body = `c = context
return [c.request_id, c.credentials.access_key_id, c.credentials.accessKeyId, c.credentials.access_key_secret,
  c.credentials.accessKeySecret, c.credentials.security_token, c.credentials.securityToken, c.function.name,
  c.function.handler, c.function.memory, c.function.timeout, c.service.log_project, c.service.log_store,
  c.service.qualifier, c.service.version_id, c.region, c.account_id, c.getLogger().name]`;
    assert.deepEqual(JSON.parse((await once(handler(body))).text), [
      'req-1',
      'ak',
      'ak',
      'sk',
      'sk',
      'st',
      'st',
      'hello',
      'index.handler',
      128,
      3,
      'lp',
      'ls',
      'LATEST',
      '7',
      'local',
      '1234567890123456',
      'root',
    ]);
  });

  it('gives the shape of 3.12: no credentials, no service', async () => {
    const body = `c = context
return [c.request_id, c.function.name, c.function.version_id, c.function.qualifier, c.region, c.account_id, c.logger.name,
  c.log_project, c.log_store, hasattr(c, 'credentials'), hasattr(c, 'service')]`;
    for (const runtime of ['python3.12', 'python3.13']) {
      const { text } = await once(handler(body), { runtime });
      assert.deepEqual(JSON.parse(text), [
        'req-1',
        'hello',
        '7',
        'LATEST',
        'local',
        '1234567890123456',
        'root',
        'lp',
        'ls',
        false,
        false,
      ]);
    }
  });

  it('shows exceptions as a list of four-element lists', async () => {
    const files = {
      'index.py': "def inner():\n    raise KeyError('gone')\n\ndef handler(event, context):\n    inner()\n",
    };
    const { text, errorType, output, codePath } = await once(files);
    assert.equal(errorType, 'UnhandledInvocationError');
    assert.deepEqual(JSON.parse(text), {
      errorMessage: "'gone'",
      errorType: 'KeyError',
      stackTrace: [
        [`File "${codePath}/index.py"`, 'line 5', 'in handler', 'inner()'],
        [`File "${codePath}/index.py"`, 'line 2', 'in inner', "raise KeyError('gone')"],
      ],
    });
    assert.match(output, / req-1 \[ERROR\] Traceback \(most recent call last\):\n.*KeyError: 'gone'\n$/s);
  });

  it('fails when the answer is no JSON', async () => {
    const { text, errorType } = await once(handler('return {1, 2}'));
    assert.equal(errorType, 'UnhandledInvocationError');
    assert.equal(JSON.parse(text).errorMessage, 'Object of type set is not JSON serializable');
  });

  it('names what is wrong with the code in the words of the field', async () => {
    const missing = await loadError({});
    assert.deepEqual(
      [missing.errorType, missing.errorMessage, missing.stackTrace],
      ['ImportModuleError', "Unable to import module 'index'", ["ModuleNotFoundError: No module named 'index'"]],
    );
    const dependency = await loadError({ 'index.py': 'import nothing_like_it' });
    assert.deepEqual(dependency.stackTrace, ["ModuleNotFoundError: No module named 'nothing_like_it'"]);
    const unknown = await loadError({ 'index.py': 'x = 1' });
    assert.deepEqual(
      [unknown.errorType, unknown.errorMessage],
      ['HandlerNotFound', "Handler 'handler' is missing on module 'index'"],
    );
    const syntax = await loadError({ 'index.py': 'def handler(:\n  pass' });
    assert.deepEqual(
      [syntax.errorType, syntax.errorMessage],
      ['UserCodeSyntaxError', "Syntax error in module 'index'"],
    );
    assert.match(JSON.stringify(syntax.stackTrace), /SyntaxError: invalid syntax/);
    const thrown = await loadError({ 'index.py': "raise RuntimeError('at load')" });
    assert.equal(thrown.errorMessage, "Module initialization error: 'at load'");
    assert.match(thrown.output, /\[ERROR\] Module initialization error/);
    const name = await loadError({}, { handler: 'handler' });
    assert.equal(name.errorMessage, "Invalid handler 'handler'");
  });

  for (const name of ['src/index.handler', 'src.index.handler']) {
    it(`loads ${name}`, async () => {
      const files = { 'src/index.py': 'def handler(event, context):\n    return __name__\n' };
      assert.equal((await once(files, { handler: name })).text, 'src.index');
    });
  }

  it('finds modules in the code, its lib and PYTHONPATH, and replaces the environment', async () => {
    const files = {
      'lib/inlib.py': "name = 'lib'",
      'more/inmore.py': "name = 'more'",
      'index.py': `import os, sys, time, inlib, inmore
def handler(event, context):
    return {'names': [inlib.name, inmore.name], 'env': dict(os.environ), 'cwd': os.getcwd(), 'path': sys.path[:4],
            'hour': time.localtime(0).tm_hour}`,
    };
    const env = { TZ: 'Asia/Tokyo', PYTHONPATH: 'more' };
    const { text, codePath } = await once(files, { env });
    const seen = JSON.parse(text);
    assert.deepEqual(seen.names, ['lib', 'more']);
    assert.equal(seen.cwd, codePath);
    assert.equal(seen.hour, 9);
    assert.deepEqual(seen.path, [codePath, `${codePath}/lib`, 'more', '/opt/python']);
    assert.equal(seen.env.FC_FUNCTION_NAME, 'hello');
    assert.deepEqual(Object.keys(seen.env).sort(), ['FC_FUNCTION_NAME', 'LD_LIBRARY_PATH', 'PATH', 'PYTHONPATH', 'TZ']);
  });

  it('formats logging with the request id and leaves print raw', async () => {
    const body = `import logging, sys
logging.getLogger().info('hello %s', 'log')
logging.getLogger('mine').debug('not shown')
logging.warning('warned')
print('printed', end='')
print('!', file=sys.stderr)
sys.stdout.buffer.write('ü'.encode()[:1]); sys.stdout.buffer.write('ü'.encode()[1:])
sys.stdout.write('no newline')
return ''`;
    const { output } = await once(handler(body));
    const lines = output.split('\n');
    assert.match(lines[0] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z req-1 \[INFO\] hello log$/);
    assert.match(lines[1] ?? '', /^\S+ req-1 \[WARNING\] warned$/);
    assert.deepEqual(lines.slice(2), ['printed!', 'üno newline']);
  });

  it('keeps the output of forked children off the connection', async () => {
    const body = `import os
pid = os.fork()
if pid == 0:
    print('from the child', flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print('from the parent')
return 'ok'`;
    await using started = await loadedRuntime(PYTHON_COMMAND, handler(body), { runtime: 'python3.10' });
    const { text, output } = await invokeText(started.link);
    assert.deepEqual([text, output], ['ok', 'from the parent\n']);
    assert.equal(started.runtime.rawOutput, 'from the child\n');
  });

  it('runs initializer and pre-stop, and gives them credentials', async () => {
    const files = {
      'index.py': `state = []
def init(context):
    state.append(context.request_id + context.credentials.access_key_id)
def bad(context):
    raise OSError('no database')
def last(context):
    print('bye', state[0])
def handler(event, context):
    return state[0]`,
    };
    const load = { runtime: 'python3.10', initializer: 'index.init', preStop: 'index.last' };
    await using started = await loadedRuntime(PYTHON_COMMAND, files, load);
    const credentials = { accessKeyId: 'K', accessKeySecret: 'S', securityToken: 'T' };
    assert.equal((await started.control.initialize({ requestId: 'i1', credentials }, 5000)).ok, true);
    assert.equal((await invokeText(started.link)).text, 'i1K');
    assert.equal((await started.control.preStop({ requestId: 'p1' }, 5000)).ok, true);
    assert.match(started.output(), /bye i1K\n$/);
    await using failing = await loadedRuntime(PYTHON_COMMAND, files, { ...load, initializer: 'index.bad' });
    const failed = await failing.control.initialize({ requestId: 'i1' }, 5000);
    assert.deepEqual(
      [failed.ok, failed.error?.errorType, failed.error?.errorMessage],
      [false, 'OSError', 'no database'],
    );
  });
});
