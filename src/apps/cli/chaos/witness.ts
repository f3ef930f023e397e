import { createServer } from 'node:http';

/**
 * A process of its own that functions tell what they do, outside of everything under test. One line on stdout for each thing
 * heard, before it is acknowledged: `{at, what, id, run}`; the first line says `{port}`. Arguments: the address to listen on.
 */
const server = createServer((req, res) => {
  let text = '';
  req.setEncoding('utf8');
  req.on('data', (chunk: string) => {
    text += chunk;
  });
  req.on('end', () => {
    const said = JSON.parse(text) as object;
    process.stdout.write(`${JSON.stringify({ at: performance.timeOrigin + performance.now(), ...said })}\n`, () =>
      res.end(),
    );
  });
});
server.keepAliveTimeout = 600_000;
server.listen(0, process.argv[2], () => {
  const address = server.address();
  process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' ? address?.port : 0 })}\n`);
});
// Ends with who started it.
process.stdin.on('end', () => process.exit()).resume();
