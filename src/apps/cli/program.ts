import { type Command, CommanderError, createCommand, InvalidArgumentError, Option } from 'commander';
import { Context } from './context.ts';
import { EXIT, Failure, usage } from './failure.ts';
import { addIdentityCommands } from './identity-program.ts';
import { Output } from './terminal/output.ts';

const EXIT_CODES = `
Exit codes: 0 it worked; 1 the operation failed (also: the function failed); 2 the command line or a file of yours is wrong;
            3 the platform cannot be reached.
Connection: TIDEMILL_ENDPOINT, TIDEMILL_ACCESS_KEY_ID, TIDEMILL_ACCESS_KEY_SECRET, TIDEMILL_OBJECTS_ENDPOINT; without them the
            platform that \`tidemill up\` started last for this user.`;

type Action = (context: Context) => Promise<number>;

/** Runs one command line; resolves with the exit code. What is no Failure is a bug and rejects. */
export async function run(args: readonly string[]): Promise<number> {
  const output = new Output(
    args.includes('--json'),
    (text) => process.stdout.write(text),
    (text) => process.stderr.write(text),
  );
  quietOnClosedPipe();
  let code: number = EXIT.ok;
  const program = buildProgram(async (action) => {
    code = await action(new Context(output, process.env));
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    const failure = asFailure(error);
    if (failure === undefined) return EXIT.ok;
    output.failure(failure);
    return failure.exit;
  }
}

/** `tidemill logs -f | head`: the reader went away, so there is nothing left to do. */
function quietOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
}

/** Undefined for an end that is none, such as help. */
function asFailure(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return undefined;
  // Commander shows the help of a group called without a command, and calls that an error.
  if (error.code === 'commander.help') return usage('name a command', 'See the list above.');
  return usage(error.message.replace(/^error: /, ''), 'See: tidemill help');
}

/** The whole tree of commands. `perform` runs what was chosen; nothing heavy is loaded before. */
export function buildProgram(perform: (action: Action) => Promise<void>): Command {
  const program = createCommand('tidemill')
    .description('A function compute platform that you run yourself.')
    .option('--json', 'print one JSON document (streams: one JSON object a line) on stdout and nothing else')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', EXIT_CODES);
  addPlatformCommands(program, perform);
  addDeployCommands(program, perform);
  addFunctionCommands(program, perform);
  addVersionCommands(program, perform);
  addTriggerCommands(program, perform);
  addQueueCommands(program, perform);
  addAuditCommands(program, perform);
  addReplayCommand(program, perform);
  addLayerCommands(program, perform);
  addObjectCommands(program, perform);
  addIdentityCommands(program, perform, examples);
  return program;
}

type Perform = (action: Action) => Promise<void>;

function examples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function numberOf(value: string): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It must be a number.');
  return number;
}

function addPlatformCommands(program: Command, perform: Perform): void {
  // Options are declared for the help text only: main.ts hands `up` over before it comes here.
  const up = program
    .command('up')
    .description('start the platform on this machine and keep it running until Ctrl-C or SIGTERM')
    .option('--data <dir>', 'data folder: everything that must survive', '.tidemill')
    .option('--port <port>', 'port of API and triggers; 0 picks a free one', '9527')
    .option('--objects-port <port>', 'port of the object store (default: the next one)')
    .option('--host <address>', 'address to listen on; beyond this machine only with TLS', '127.0.0.1')
    .option('--master-key <file>', 'what all that is stored is sealed under (default: master.key in the data folder)')
    .option('--tls-cert <file>', 'certificate chain (PEM); read again when it changes')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--region <name>', 'name of the region of a new data folder (default: local)')
    .option('--domain <name>', 'own domain whose subdomains are HTTP triggers')
    .addOption(
      new Option('--isolation <tier>', 'how functions are confined')
        .choices(['container', 'gvisor', 'process'])
        .default('container'),
    );
  examples(
    up,
    'tidemill up',
    'tidemill up --data /var/lib/tidemill --port 9527',
    'tidemill up --host 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem',
    'tidemill up --port 0 --json   # first line on stdout: addresses and keys',
  );
  const quickstart = program
    .command('quickstart')
    .description('start the platform, deploy the examples, transcode a generated video, and keep serving')
    .option('--data <dir>', 'data folder', '.tidemill')
    .option('--port <port>', 'port of API and triggers (default: 9527, or a free one if that is taken)', numberOf)
    .option('--exit', 'stop at the end instead of serving on')
    .action((options: { data: string; port?: number; exit?: boolean }) =>
      perform(async (context) => (await import('./quickstart/quickstart.ts')).quickstart(context, options)),
    );
  examples(quickstart, 'tidemill quickstart', 'tidemill quickstart --data /tmp/demo --exit');
  const doctor = program
    .command('doctor')
    .description('say which isolation tiers, runtimes and tools this host has, and why not')
    .action(() => perform(async (context) => (await import('./commands/doctor.ts')).doctor(context)));
  examples(doctor, 'tidemill doctor', 'tidemill doctor --json');
  addMasterKeyCommands(program, perform);
  const chaos = program
    .command('chaos')
    .description(
      'try a platform of its own on this host with faults while it is used, and check every promise afterwards',
    )
    .option('--seconds <n>', 'how long the faults last (default: 60)', numberOf)
    .option('--settle <n>', 'seconds that accepted events may take to their end afterwards (default: 120)', numberOf)
    .option('--seed <n>', 'the same seed draws the same faults', numberOf)
    .option('--faults <names>', "comma-separated: only these, or 'none' (default: all that this host allows)")
    .option('--isolation <tier>', 'how functions are confined: container (default), gvisor or process')
    .option('--program <command>', 'try another build: its command line without `up`')
    .option('--evidence <file>', 'write everything that was seen there, as JSON')
    .action((options: object) =>
      perform(async (context) => (await import('./commands/chaos.ts')).chaos(context, options)),
    );
  examples(
    chaos,
    'tidemill chaos',
    'tidemill chaos --seconds 600 --seed 7',
    'tidemill chaos --faults kill-server,fsync-fails',
  );
  examples(program.command('version').description('print the version'), 'tidemill version', 'tidemill version --json');
}

function addMasterKeyCommands(program: Command, perform: Perform): void {
  const group = program
    .command('master-key')
    .description('the key that everything stored is sealed under: show it by name, rotate it, take old ones out');
  const actions = {
    show: 'which keys there are, and how many data keys are under each',
    rotate: 'make a new key the current one; a running platform wraps its data keys anew, without a pause',
    retire: 'take out keys that nothing is under any more',
  } as const;
  for (const action of ['show', 'rotate', 'retire'] as const) {
    const command = group
      .command(action)
      .description(actions[action])
      .option('--data <dir>', 'data folder', '.tidemill')
      .option('--master-key <file>', 'where the key is (default: master.key in the data folder)')
      .action((options: { data: string; masterKey?: string }) =>
        perform(async (context) => (await import('./commands/master-key.ts')).masterKey(context, action, options)),
      );
    examples(command, `tidemill master-key ${action} --data /var/lib/tidemill`);
  }
  examples(group, 'tidemill master-key rotate', 'tidemill master-key retire');
}

function addDeployCommands(program: Command, perform: Perform): void {
  const deploy = program
    .command('deploy')
    .argument('[dir]', 'folder with the code (default: this one)')
    .description('pack a folder, create or update its function, and say the URL; or deploy what an s.yaml describes')
    .option('-f, --file <s.yaml>', 'deploy a Serverless Devs file (edition 3.0.0, component fc3)')
    .option('-w, --watch', 'go on: a saved file is live for the next call')
    .option('--name <name>', "name of the function (default: the folder's)")
    .option('--runtime <id>', 'e.g. nodejs24, python3.10, custom.debian12 (default: as the folder looks)')
    .option('--handler <file.method>', 'what to call (default: as the folder looks, e.g. index.handler)')
    .option('--memory <MB>', 'memory', numberOf)
    .option('--cpu <vCPUs>', 'CPU share, 0.05 to 16', numberOf)
    .option('--disk <MB>', 'private /tmp: 512 or 10240', numberOf)
    .option('--timeout <seconds>', 'longest run of a call', numberOf)
    .option('--concurrency <n>', 'calls at the same time in one instance (custom runtimes)', numberOf)
    .option('--description <text>', 'what it is for')
    .option('--env <NAME=VALUE>', 'environment variable, repeatable; replaces all that were set', collect)
    .option('--layer <arn>', 'layer version, repeatable; replaces all that were set', collect)
    .option('--http', 'give it a URL that anybody may call, if it has none (default)')
    .option('--no-http', 'add no URL')
    .action((dir: string | undefined, options: object) =>
      perform(async (context) => (await import('./commands/deploy.ts')).deploy(context, dir, options)),
    );
  examples(
    deploy,
    'tidemill deploy hello',
    'tidemill deploy hello --memory 256 --cpu 0.25 --timeout 30 --env STAGE=test',
    'tidemill deploy -f s.yaml',
    'tidemill deploy hello --watch',
    '',
    'A folder with an s.yaml is deployed as that file says, unless options above change something.',
    '.fcignore (gitignore syntax) names what is not packed; .git and s.yaml never are, node_modules is.',
  );
  const remove = program
    .command('delete')
    .argument('[name...]', 'functions')
    .description('delete functions with their versions, aliases, triggers and settings')
    .option('-f, --file <s.yaml>', 'delete the functions of a manifest')
    .action((names: string[], options: { file?: string }) =>
      perform(async (context) => (await import('./commands/delete.ts')).deleteFunctions(context, names, options)),
    );
  examples(remove, 'tidemill delete hello', 'tidemill delete -f s.yaml');
}

function addFunctionCommands(program: Command, perform: Perform): void {
  const invoke = program
    .command('invoke')
    .argument('<name>', 'function')
    .description('call a function; payload to stdout, log to stderr, exit code 1 if the function fails')
    .option('-e, --event <text>', 'payload')
    .option('-f, --file <path>', "payload from a file, '-' for stdin (a pipe on stdin is read by itself)")
    .option('--async', 'only have the event accepted; the call happens later')
    .option('-q, --qualifier <q>', 'version or alias (default: LATEST)')
    .option('-l, --log', 'print the end of the log')
    .action((name: string, options: object) =>
      perform(async (context) => (await import('./commands/invoke.ts')).invoke(context, name, options)),
    );
  examples(
    invoke,
    `tidemill invoke hello -e '{"name":"Ada"}'`,
    'echo hi | tidemill invoke hello --log',
    'tidemill invoke hello -f event.json --qualifier prod',
    'tidemill invoke hello --async',
  );
  const logs = program
    .command('logs')
    .argument('<name>', 'function')
    .description('print what a function wrote and how its calls ended')
    .option('-f, --follow', 'go on with what comes')
    .option('--request-id <id>', 'of one call only')
    .option('--since <time>', 'how long ago (30s, 10m, 2h, 1d) or an ISO 8601 time')
    .option('--limit <n>', 'at most this many lines of the past (default: 100)', numberOf)
    .action((name: string, options: object) =>
      perform(async (context) => (await import('./commands/logs.ts')).logs(context, name, options)),
    );
  examples(
    logs,
    'tidemill logs hello',
    'tidemill logs hello -f',
    'tidemill logs hello --since 10m',
    'tidemill logs hello --request-id 1-65e571bc-158a59e8-b63f98cd471c',
  );
  const exec = program
    .command('exec')
    .argument('<name>', 'function')
    .argument('<command...>', 'program and arguments, after --')
    .description('run a command in a running instance of a function; ends with the exit code of the command')
    .option('--instance <id>', 'which instance (default: one of those that are there)')
    .option('-t, --tty', 'with a terminal')
    .option('--no-stdin', 'give it no input')
    .action((name: string, command: readonly string[], options: object) =>
      perform(async (context) => (await import('./commands/exec.ts')).exec(context, name, command, options)),
    );
  examples(
    exec,
    'tidemill exec hello -- ls -l /code',
    'tidemill exec hello --tty -- sh',
    'tidemill exec hello --instance c-1-abc -- cat /proc/meminfo',
  );
  const functions = program.command('functions').description('list functions, show one');
  functions
    .command('ls', { isDefault: true })
    .description('list functions')
    .option('--prefix <text>', 'names that start so')
    .action((options: object) =>
      perform(async (context) => (await import('./commands/functions.ts')).listFunctions(context, options)),
    );
  functions
    .command('get')
    .argument('<name>', 'function')
    .description('every setting of a function, and its triggers')
    .option('-q, --qualifier <q>', 'version or alias')
    .action((name: string, options: object) =>
      perform(async (context) => (await import('./commands/functions.ts')).getFunction(context, name, options)),
    );
  examples(
    functions,
    'tidemill functions',
    'tidemill functions ls --prefix web-',
    'tidemill functions get hello --json',
  );
}

function addVersionCommands(program: Command, perform: Perform): void {
  const load = () => import('./commands/versions.ts');
  const versions = program.command('versions').description('immutable snapshots of code and configuration');
  versions
    .command('ls')
    .argument('<name>', 'function')
    .description('list the versions of a function')
    .action((name: string) => perform(async (context) => (await load()).listVersions(context, name)));
  versions
    .command('publish')
    .argument('<name>', 'function')
    .description('make a version of what is deployed now')
    .option('--description <text>', 'what is new')
    .action((name: string, options: object) =>
      perform(async (context) => (await load()).publishVersion(context, name, options)),
    );
  versions
    .command('delete')
    .argument('<name>', 'function')
    .argument('<version>', 'version')
    .description('delete a version')
    .action((name: string, version: string) =>
      perform(async (context) => (await load()).deleteVersion(context, name, version)),
    );
  examples(versions, 'tidemill versions publish hello --description "first"', 'tidemill versions ls hello');
  const alias = program.command('alias').description('names over one or two versions');
  alias
    .command('ls')
    .argument('<name>', 'function')
    .description('list the aliases of a function')
    .action((name: string) => perform(async (context) => (await load()).listAliases(context, name)));
  alias
    .command('set')
    .argument('<name>', 'function')
    .argument('<alias>', 'alias')
    .argument('<version>', 'version that calls go to')
    .description('make an alias or move it')
    .option('--weight <VERSION=SHARE>', 'share of calls (0 to 1) that go to a second version', collect)
    .option('--description <text>', 'what it is for')
    .action((name: string, aliasName: string, version: string, options: object) =>
      perform(async (context) => (await load()).setAlias(context, name, aliasName, version, options)),
    );
  alias
    .command('delete')
    .argument('<name>', 'function')
    .argument('<alias>', 'alias')
    .description('delete an alias')
    .action((name: string, aliasName: string) =>
      perform(async (context) => (await load()).deleteAlias(context, name, aliasName)),
    );
  examples(
    alias,
    'tidemill alias set hello prod 1',
    'tidemill alias set hello prod 1 --weight 2=0.2   # every fifth call runs version 2',
    'tidemill alias set hello prod 2                  # all of them',
    'tidemill alias ls hello',
  );
}

function addTriggerCommands(program: Command, perform: Perform): void {
  const load = () => import('./commands/triggers.ts');
  const triggers = program.command('triggers').description('what calls a function: URLs, timers, object events');
  triggers
    .command('ls')
    .argument('<name>', 'function')
    .description('list the triggers of a function')
    .action((name: string) => perform(async (context) => (await load()).listTriggers(context, name)));
  triggers
    .command('delete')
    .argument('<name>', 'function')
    .argument('<trigger>', 'trigger')
    .description('delete a trigger')
    .action((name: string, trigger: string) =>
      perform(async (context) => (await load()).deleteTrigger(context, name, trigger)),
    );
  examples(
    triggers,
    'tidemill triggers ls hello',
    'tidemill triggers delete hello http',
    '',
    'Triggers are made by `tidemill deploy`, from --http or the s.yaml.',
  );
}

function addAuditCommands(program: Command, perform: Perform): void {
  const audit = program.command('audit').description('who asked what of the platform, and what was denied');
  const list = audit
    .command('list')
    .description('control calls and denied calls, newest first: your account, and all accounts for the operator')
    .option('--limit <n>', 'at most so many (default: 50)', numberOf)
    .option('--before <number>', 'below this record, to see more', numberOf)
    .action((options: { limit?: number; before?: number }) =>
      perform(async (context) => (await import('./commands/audit.ts')).listAudit(context, options)),
    );
  examples(list, 'tidemill audit list', 'tidemill audit list --limit 1000 --json');
  const verify = audit
    .command('verify')
    .description('check that no record was changed, taken out or put in')
    .action(() => perform(async (context) => (await import('./commands/audit.ts')).verifyAudit(context)));
  examples(verify, 'tidemill audit verify');
  examples(audit, 'tidemill audit list', 'tidemill audit verify');
}

function addQueueCommands(program: Command, perform: Perform): void {
  const queue = program
    .command('queue')
    .argument('[name]', 'function (default: all)')
    .description('how many accepted events wait and run, and how old the oldest is')
    .action((name: string | undefined) =>
      perform(async (context) => (await import('./commands/queue.ts')).showQueue(context, name)),
    );
  examples(queue, 'tidemill queue', 'tidemill queue hello --json');
  const load = () => import('./commands/dead-letters.ts');
  const letters = program.command('dead-letters').description('events that failed for good and that nobody else took');
  const which = (command: Command): Command =>
    command
      .option('--function <name>', 'of this function')
      .option('--state <state>', 'Failed, Expired or Invalid')
      .option('--since <time>', 'not older than (30s, 10m, 2h, 1d) or an ISO 8601 time')
      .option('--until <time>', 'not newer than, in the same forms')
      .option('--text <text>', 'found in request id, task id, message or evidence');
  which(letters.command('list', { isDefault: true }).description('list dead letters, newest first'))
    .option('--limit <n>', 'at most so many (default: 20)', numberOf)
    .option('--before <number>', 'go on after this number of the page before', numberOf)
    .action((options: object) => perform(async (context) => (await load()).listLetters(context, options)));
  letters
    .command('show')
    .argument('<number>', 'dead letter')
    .description('everything that is kept of a dead letter, payload included')
    .action((number: string) => perform(async (context) => (await load()).showLetter(context, number)));
  which(
    letters
      .command('redrive')
      .argument('[number...]', 'dead letters')
      .description('have events accepted again: those named, those that match, or --all'),
  )
    .option('--all', 'every dead letter of the account')
    .option('-q, --qualifier <q>', 'run them on this version or alias instead')
    .action((numbers: string[], options: object) =>
      perform(async (context) => (await load()).redriveLetters(context, numbers, options)),
    );
  which(
    letters
      .command('delete')
      .argument('[number...]', 'dead letters')
      .description('delete dead letters: those named, those that match, or --all'),
  )
    .option('--all', 'every dead letter of the account')
    .action((numbers: string[], options: object) =>
      perform(async (context) => (await load()).deleteLetters(context, numbers, options)),
    );
  examples(
    letters,
    'tidemill dead-letters list --function resize --since 1d',
    'tidemill dead-letters show 17',
    'tidemill dead-letters redrive 17',
    'tidemill dead-letters redrive --function resize --qualifier 4',
    'tidemill dead-letters delete --all',
  );
}

function addReplayCommand(program: Command, perform: Perform): void {
  const replay = program
    .command('replay')
    .argument('<id>', 'request id of a failed call, or number of a dead letter')
    .description(
      'run a failed call again: here, under the debugger, with the very code that failed, or on the server with --version or --alias',
    )
    .option('--function <name>', 'whose call it was (default: looked for)')
    .option('--version <v>', 'on the server, on this version')
    .option('--alias <a>', 'on the server, on this alias')
    .option('-e, --event <text>', 'payload, if it was not kept or is to be another')
    .option('-f, --file <path>', 'payload from a file')
    .option('--no-debug', 'here, but without debugger')
    .action((id: string, options: { debug: boolean }) =>
      perform(async (context) => (await import('./commands/replay.ts')).replay(context, id, options)),
    );
  examples(
    replay,
    'tidemill replay 17',
    'tidemill replay 1-69204f1c-1a2b-3c4d5e6f7081 --no-debug',
    'tidemill replay 17 --version 4',
    '',
    'Payloads are kept of dead letters and tasks; for other calls give it with -e or -f. Outbound traffic is not recorded:',
    'whatever the function calls, it really calls again. Here it runs without sandbox, limits and credentials, as you.',
  );
}

function addLayerCommands(program: Command, perform: Perform): void {
  const load = () => import('./commands/layers.ts');
  const layers = program.command('layers').description('shared files that appear below /opt');
  layers
    .command('ls', { isDefault: true })
    .description('list the newest version of every layer')
    .action(() => perform(async (context) => (await load()).listLayers(context)));
  layers
    .command('publish')
    .argument('<name>', 'layer')
    .argument('<path>', 'folder or zip')
    .description('make a new version of a layer')
    .requiredOption('--runtime <id>', 'runtime that may use it, repeatable', collect)
    .option('--description <text>', 'what is in it')
    .action((name: string, path: string, options: { runtime: readonly string[] }) =>
      perform(async (context) => (await load()).publishLayer(context, name, path, options)),
    );
  layers
    .command('delete')
    .argument('<name>', 'layer')
    .argument('<version>', 'version')
    .description('delete a version of a layer')
    .action((name: string, version: string) =>
      perform(async (context) => (await load()).deleteLayer(context, name, version)),
    );
  examples(layers, 'tidemill layers publish tools ./layer --runtime python3.10', 'tidemill layers');
}

function addObjectCommands(program: Command, perform: Perform): void {
  const load = () => import('./commands/objects.ts');
  const objects = program.command('objects').description('buckets and objects of the built-in object store');
  objects
    .command('mb')
    .argument('<bucket>', 'bucket')
    .description('make a bucket')
    .action((bucket: string) => perform(async (context) => (await load()).makeBucket(context, bucket)));
  objects
    .command('ls')
    .argument('[place]', 'tm://BUCKET/PREFIX (default: all buckets)')
    .description('list buckets or objects')
    .option('-r, --recursive', 'everything below')
    .action((place: string | undefined, options: object) =>
      perform(async (context) => (await load()).listObjects(context, place, options)),
    );
  objects
    .command('cp')
    .argument('<from>', 'file or tm://BUCKET/KEY')
    .argument('<to>', "file, folder, '-' for stdout, or tm://BUCKET/KEY")
    .description('copy to, from or inside the object store')
    .action((from: string, to: string) => perform(async (context) => (await load()).copyObject(context, from, to)));
  objects
    .command('rm')
    .argument('<place>', 'tm://BUCKET/KEY, or tm://BUCKET for the bucket itself')
    .description('remove objects or a bucket')
    .option('-r, --recursive', 'everything below, and the bucket if only that is named')
    .action((place: string, options: object) =>
      perform(async (context) => (await load()).removeObjects(context, place, options)),
    );
  examples(
    objects,
    'tidemill objects mb videos',
    'tidemill objects cp clip.mp4 tm://videos/in/',
    'tidemill objects ls tm://videos/out/ -r',
    'tidemill objects cp tm://videos/out/clip/360p.mp4 .',
    'tidemill objects rm tm://videos/in/clip.mp4',
    '',
    'oss:// and s3:// mean the same as tm://.',
  );
}
