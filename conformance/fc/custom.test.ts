import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, type Files, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const PYTHON: Files = {
  bootstrap: { data: '#!/bin/sh\nexec python3 /code/server.py\n', mode: 0o100755 },
  'server.py': `import os, json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
ready = []
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self, body, status=200, headers={}):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        seen = {'path': self.path, 'headers': {k.lower(): v for k, v in self.headers.items()}, 'ready': ready}
        self.answer(json.dumps(seen).encode(), headers={'Content-Type': 'application/json', 'X-Own': 'yes', 'X-Fc-Own': 'no'})
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        if self.path == '/initialize':
            ready.append(1)
            return self.answer(b'')
        if self.path == '/invoke' and body == b'fail':
            return self.answer(b'{"failed":true}', 404, {'x-fc-status': '404'})
        self.answer(b'invoked ' + body)
ThreadingHTTPServer(('0.0.0.0', int(os.environ.get('FC_SERVER_PORT', '9000'))), Handler).serve_forever()
`,
};

const NODE: Files = {
  'server.js': `require('http').createServer(async (req, res) => {
  if (req.url === '/stream') {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let i = 0; i < 3; i++) { res.write('data: ' + i + '\\n\\n'); await new Promise((r) => setTimeout(r, 300)); }
    return res.end();
  }
  if (req.url === '/large-header') return res.writeHead(200, { 'x-large': 'a'.repeat(8200) }).end();
  if (req.url === '/die') process.exit(7);
  res.writeHead(200);
  req.pipe(res);
}).listen(Number(process.env.FC_SERVER_PORT), '0.0.0.0');`,
};

const nodeConfig = {
  customRuntimeConfig: new models.CustomRuntimeConfig({ command: ['node', 'server.js'], port: 9000 }),
};

async function urlOf(name: string, methods: string[]): Promise<string> {
  const body = new models.CreateTriggerInput({
    triggerName: 'web',
    triggerType: 'http',
    triggerConfig: JSON.stringify({ authType: 'anonymous', methods }),
  });
  const created = await world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  return created.body?.httpTrigger?.urlInternet?.replace(/\/$/, '') ?? '';
}

test('python bootstrap: /invoke, /initialize and raw HTTP', async () => {
  const name = await world.deploy('custom-python', PYTHON, {
    runtime: 'custom.debian12',
    handler: 'any',
    instanceLifecycleConfig: new models.InstanceLifecycleConfig({
      initializer: new models.LifecycleHook({ handler: 'on', timeout: 10 }),
    }),
  });
  assert.equal((await world.invoke(name, 'event')).text, 'invoked event');
  const failed = await world.invoke(name, 'fail');
  assert.deepEqual([failed.status, failed.text], [200, '{"failed":true}']);
  assert.ok(failed.headers['x-fc-error-type']);
  const url = await urlOf(name, ['GET']);
  const res = await fetch(`${url}/a%20b?q=1`, { headers: { 'x-sent': 'yes', 'x-fc-account-id': 'forged' } });
  assert.deepEqual([res.headers.get('x-own'), res.headers.get('x-fc-own')], ['yes', null]);
  const seen = (await res.json()) as { path: string; headers: Record<string, string>; ready: number[] };
  assert.deepEqual([seen.path, seen.ready, seen.headers['x-sent']], ['/a%20b?q=1', [1], 'yes']);
  assert.deepEqual([seen.headers['x-fc-function-name'], seen.headers['x-fc-control-path']], [name, '/http-invoke']);
  assert.equal(seen.headers['x-fc-request-id'], res.headers.get('x-fc-request-id'));
  assert.match(seen.headers['x-fc-account-id'] ?? '', /^\d{16}$/);
});

test('node server: streams as it is produced, echoes what streams in', async () => {
  const name = await world.deploy('custom-node', NODE, { runtime: 'custom.debian12', handler: 'any', ...nodeConfig });
  const url = await urlOf(name, ['GET', 'POST']);
  const res = await fetch(`${url}/stream`);
  assert.equal(res.headers.get('content-type'), 'text/event-stream');
  const arrivals: number[] = [];
  let text = '';
  for await (const chunk of res.body ?? []) {
    arrivals.push(Date.now());
    text += Buffer.from(chunk).toString();
  }
  assert.equal(text, 'data: 0\n\ndata: 1\n\ndata: 2\n\n');
  assert.ok((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0) > 400, 'the parts came all at once');
  const payload = Buffer.alloc(3_000_000, 'x');
  const echoed = await fetch(`${url}/echo`, { method: 'POST', body: payload });
  assert.ok(Buffer.from(await echoed.arrayBuffer()).equals(payload));
  const large = await fetch(`${url}/large-header`);
  assert.deepEqual([large.status, ((await large.json()) as { Code: string }).Code], [502, 'BadResponse']);
  assert.equal((await fetch(`${url}/die`)).status, 502);
  assert.equal((await fetch(`${url}/echo`, { method: 'POST', body: 'back' })).status, 200);
});

test('several requests share an instance when instanceConcurrency allows', async () => {
  const server = `let active = 0, peak = 0;
require('http').createServer(async (req, res) => {
  peak = Math.max(peak, ++active);
  await new Promise((r) => setTimeout(r, 500));
  active--;
  res.end(String(peak));
}).listen(9000, '0.0.0.0');`;
  const name = await world.deploy(
    'custom-shared',
    { 'server.js': server },
    { runtime: 'custom.debian12', handler: 'any', instanceConcurrency: 10, ...nodeConfig },
  );
  await world.invoke(name);
  const answers = await Promise.all(Array.from({ length: 8 }, () => world.invoke(name)));
  assert.equal(new Set(answers.map(({ headers }) => headers['x-fc-instance-id'])).size, 1);
  assert.ok(answers.some(({ text }) => Number(text) > 4));
});

test('a server that does not start says why', async () => {
  const exits: Files = { bootstrap: { data: '#!/bin/sh\necho not today\nexit 3\n', mode: 0o100755 } };
  const name = await world.deploy('custom-exits', exits, { runtime: 'custom.debian12', handler: 'any' });
  await assert.rejects(world.invoke(name), failsWith('CAExited', 412, /not today/));
  const missing = await world.deploy(
    'custom-missing',
    { 'readme.txt': 'x' },
    { runtime: 'custom.debian12', handler: 'any' },
  );
  await assert.rejects(world.invoke(missing), (error: { statusCode?: number; message: string }) => {
    assert.equal(error.statusCode, 412);
    assert.match(error.message, /\/code\/bootstrap/);
    return true;
  });
});
