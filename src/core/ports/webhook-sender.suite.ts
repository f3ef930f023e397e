import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { describe, it } from 'node:test';
import type { AddressInfo } from 'node:net';
import { TidemillError } from '../domain/errors.ts';
import type { WebhookSender } from './webhook-sender.ts';

interface Received {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What every sender of webhooks promises. `make`: `allow` are the local networks that may be sent to, `ownPorts` the platform's. */
export function webhookSenderSuite(
  name: string,
  make: (options: { allow: readonly string[]; ownPorts: () => readonly number[] }) => WebhookSender,
): void {
  const bytes = new TextEncoder().encode('{"a":1}');
  const options = () => ({
    headers: { 'content-type': 'application/json', 'x-test': 'yes' },
    timeoutMs: 5_000,
    signal: new AbortController().signal,
  });
  const serve = async (
    status: number,
    answer: string,
    body: (url: string, port: number, received: Received[]) => Promise<void>,
    headers: Record<string, string> = {},
  ) => {
    const received: Received[] = [];
    const server: Server = createServer((req, res) => {
      const pieces: Buffer[] = [];
      req.on('data', (piece: Buffer) => pieces.push(piece));
      req.on('end', () => {
        received.push({ method: req.method, headers: req.headers, body: Buffer.concat(pieces).toString() });
        if (status === 0) return;
        res.writeHead(status, headers);
        res.end(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await body(`http://127.0.0.1:${port}/hook?x=1`, port, received);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  const denied = (error: unknown) => error instanceof TidemillError && error.code === 'AccessDenied';

  describe(`${name}: webhook sender`, () => {
    const local = { allow: ['127.0.0.0/8'], ownPorts: () => [] };

    it('posts the bytes with their headers and tells the answer, long ones shortened', async () => {
      const sender = make(local);
      await serve(201, 'x'.repeat(100_000), async (url, _port, received) => {
        const reply = await sender.post(url, bytes, options());
        assert.equal(reply.status, 201);
        assert.match(reply.text, /^x{10,1024}$/);
        const [got] = received;
        assert.deepEqual([got?.method, got?.body, got?.headers['x-test']], ['POST', '{"a":1}', 'yes']);
        assert.equal(got?.headers['content-type'], 'application/json');
      });
      sender.close();
    });

    it('follows no redirect', async () => {
      const sender = make(local);
      await serve(
        302,
        '',
        async (url, _port, received) => {
          assert.equal((await sender.post(url, bytes, options())).status, 302);
          assert.equal(received.length, 1);
        },
        { location: 'http://169.254.169.254/' },
      );
      sender.close();
    });

    it('rejects when nobody listens, nobody answers in time, or it is aborted', async () => {
      const sender = make(local);
      await assert.rejects(sender.post('http://127.0.0.1:1/', bytes, options()), /ECONNREFUSED/);
      await serve(0, '', async (url) => {
        await assert.rejects(sender.post(url, bytes, { ...options(), timeoutMs: 50 }));
        const abort = new AbortController();
        const posting = sender.post(url, bytes, { ...options(), signal: abort.signal });
        abort.abort(new Error('enough'));
        await assert.rejects(posting);
      });
      sender.close();
    });

    it('calls no address that is not allowed, under whatever name', async () => {
      const strict = make({ allow: [], ownPorts: () => [] });
      await serve(200, '', async (url, port, received) => {
        for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0x7f.1', '2130706433']) {
          await assert.rejects(strict.post(`http://${host}:${port}/`, bytes, options()), denied, host);
        }
        assert.equal(received.length, 0);
        const guarded = make({ allow: ['127.0.0.0/8'], ownPorts: () => [port] });
        await assert.rejects(guarded.post(url, bytes, options()), denied, 'the platform itself');
        assert.equal(received.length, 0);
        guarded.close();
      });
      const open = make({ allow: ['0.0.0.0/0', '::/0'], ownPorts: () => [] });
      for (const url of [
        'http://169.254.169.254/latest/meta-data',
        'http://100.100.100.200/latest/meta-data',
        'http://[fe80::1]/',
        'http://[fd00:ec2::254]/',
        'http://0.0.0.0:9/',
        'http://10.0.0.1/',
      ]) {
        if (url.includes('10.0.0.1')) await assert.rejects(strict.post(url, bytes, options()), denied, url);
        else await assert.rejects(open.post(url, bytes, options()), denied, url);
      }
      strict.close();
      open.close();
    });
  });
}
