'use strict';
// Entry of the Node runtimes: listens on the inherited Unix socket, descriptor 3 (docs: runtimes/README.md).
const { Runtime } = require('./runtime.cjs');

const LISTEN_FD = 3;

const runtime = new Runtime();
runtime.output.install();

process.on('uncaughtException', (error) => {
  // A handler of the function's own means that it wants to live on.
  if (process.listenerCount('uncaughtException') === 1) runtime.crash(error);
});
process.on('exit', () => runtime.flush());

if (process.env.TIDEMILL_POOLED === undefined) runtime.listen(LISTEN_FD);
else {
  // Nobody waits for this process yet: time to get ready for whatever function comes.
  delete process.env.TIDEMILL_POOLED;
  void require('./warm-up.cjs').warmUp().finally(() => runtime.listen(LISTEN_FD));
}
