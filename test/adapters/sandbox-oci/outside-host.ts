import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';

/** Addresses of a machine beyond this host: one public (a documentation range), the others such as nobody may reach. */
export interface OutsideHost {
  readonly publicAddress: string;
  /** This host's address on the way there: what the outside sees after translation. */
  readonly hostAddress: string;
  readonly forbidden: readonly string[];
  readonly port: number;
  /** Takes connections and keeps them open. */
  readonly holdingPort: number;
  /** Sends back what it gets by UDP. */
  readonly echoPort: number;
  /** Where N in decimal is answered by N bytes, and -N takes N bytes and answers "all". */
  readonly bulkPort: number;
  remove(): void;
}

const SERVER = `
import resource, socket, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
def holding():
    h = socket.socket()
    h.bind(("0.0.0.0", 7001))
    h.listen(512)
    kept = []
    while True: kept.append(h.accept())
def echoing():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    u.bind(("0.0.0.0", 53))
    while True:
        d, a = u.recvfrom(2048)
        u.sendto(d, a)
def bulk():
    b = socket.socket()
    b.bind(("0.0.0.0", 7002))
    b.listen(16)
    while True:
        c, a = b.accept()
        asked = int(c.recv(16))
        if asked > 0:
            c.sendall(b"x" * asked)
        else:
            got = 0
            while got < -asked:
                got += len(c.recv(65536)) or -asked
            c.sendall(b"all")
        c.close()
threading.Thread(target=bulk, daemon=True).start()
threading.Thread(target=holding, daemon=True).start()
threading.Thread(target=echoing, daemon=True).start()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 7000))
s.listen(16)
print("up", flush=True)
while True:
    c, a = s.accept()
    c.sendall(a[0].encode())
    c.close()
`;

/** A network namespace behind a link of this host, with a server on port 7000 that answers with the caller's address. */
export async function outsideHost(): Promise<OutsideHost> {
  const block = (process.pid % 63) * 4;
  const name = `out${process.pid}`;
  const publicAddress = `203.0.113.${block + 2}`;
  const hostAddress = `203.0.113.${block + 1}`;
  const forbidden = [`192.168.213.${block + 2}`, `172.31.213.${block + 2}`, `169.254.213.${block + 2}`];
  const server = spawn('unshare', ['--net', 'python3', '-c', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  const ip = (commands: readonly string[], inNamespace = false): void => {
    const batch = { input: `${commands.join('\n')}\n`, stdio: ['pipe', 'pipe', 'inherit'] as ('pipe' | 'inherit')[] };
    if (inNamespace) execFileSync('nsenter', ['-t', String(server.pid), '-n', 'ip', '-batch', '-'], batch);
    else execFileSync('ip', ['-batch', '-'], batch);
  };
  try {
    connectTo();
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
  return {
    publicAddress,
    hostAddress,
    forbidden,
    port: 7000,
    holdingPort: 7001,
    echoPort: 53,
    bulkPort: 7002,
    remove() {
      // First the device: with the process its namespace goes, and the kernel would take the device away meanwhile.
      execFileSync('ip', ['link', 'del', name]);
      server.kill('SIGKILL');
    },
  };

  function connectTo(): void {
    ip([
      `link add ${name} type veth peer name wan netns ${server.pid}`,
      `addr add ${hostAddress}/30 dev ${name}`,
      `link set ${name} up`,
    ]);
    ip(
      [
        `addr add ${publicAddress}/30 dev wan`,
        ...forbidden.map((address) => `addr add ${address}/32 dev wan`),
        'link set wan up',
        `route add default via ${hostAddress}`,
      ],
      true,
    );
    ip(forbidden.map((address) => `route add ${address}/32 via ${publicAddress}`));
    writeFileSync(`/proc/sys/net/ipv4/conf/${name}/forwarding`, '1');
  }
}
