/**
 * `hull run` in the foreground: a program -> a machine -> its exit code. Owns: the order of things and what the end means. Rules: nothing
 * is left behind however this ends (QEMU dies with its parent, there are no named files); the compiler is loaded only when an
 * image is missing or an address wants a name; the exit code is the program's, 128 + the signal that ended it, or Docker's 125 to 127.
 *
 * Main path: openProgram -> findKernel -> chooseAccelerator -> planNetwork -> startMachine -> records to stdout, stderr -> wait -> exit code.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import {
  type Accelerator,
  BootError,
  type BootModule,
  chooseAccelerator,
  createInputPump,
  createOutputQueue,
  encodeBootModule,
  FEATURE,
  FLAG,
  type ImageNote,
  findQemu,
  formatBytes,
  isTerminal,
  type LentTerminal,
  lendTerminal,
  type Machine,
  type MachineEnd,
  type MachineKind,
  readImageNote,
  readTerminalSize,
  startMachine,
} from '../boot/index.ts';
import { EngineError, EXIT } from './errors.ts';
import { findKernel, findRootKernel, type RootProgramKernel } from './images/index.ts';
import type { NetworkRequest } from './networks/index.ts';
import { catchInterrupts, type Interrupts } from './interrupts.ts';
import { createLogLines, type LogLines } from './log-lines.ts';
import { type MountPlan, type MountRequest, planMounts } from './volumes/index.ts';
import { openProgram, type ProgramFile } from './program.ts';
import type { Tracer } from './trace/index.ts';
import { findStatePaths, type StatePaths, sweepTemporaries } from './state/index.ts';

export interface RunRequest {
  readonly program: string;
  /** A directory that becomes the machine's root file system; the program is looked for in it. */
  readonly rootfs?: string | undefined;
  readonly args: readonly string[];
  readonly name?: string | undefined;
  /** argv[0], when it is not the program's name as given. */
  readonly entrypoint?: string | undefined;
  /** NAME=VALUE, or NAME for the value that it has here. */
  readonly env: readonly string[];
  readonly workdir?: string | undefined;
  /** Host directories, volumes and memory that the program finds at paths of its own. */
  readonly mounts: readonly MountRequest[];
  readonly hostname?: string | undefined;
  readonly network: NetworkOptions;
  readonly user?: BootModule['user'];
  readonly memory: number;
  readonly cpus: number;
  readonly machine: MachineKind;
  readonly accelerator: Accelerator | 'auto';
  readonly qemu?: string | undefined;
  readonly gdb?: string | undefined;
  readonly tty: boolean;
  /** Names and classes of system calls to show; all when empty. */
  readonly trace?: string | undefined;
  readonly verbose: boolean;
  /** Signal number that a SIGTERM to us becomes. */
  readonly stopSignal?: number | undefined;
  /** ms after which a machine that was asked to stop is killed; without it, never. */
  readonly stopTimeout?: number | undefined;
}

/** As typed; engine/networks reads them. */
export interface NetworkOptions {
  readonly network: string | undefined;
  readonly publish: readonly string[];
  readonly ip: string | undefined;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly addHosts: readonly string[];
  /** Further names on a named network. */
  readonly aliases: readonly string[];
}

/** This process, as far as a run needs it. */
export interface RunHost {
  readonly env: NodeJS.ProcessEnv;
  /** The folder of the built product (bin/, libos/, lib/). */
  readonly dist: string;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SIGTERM = 15;
const SIGPIPE = 13;
/** Raw text of a machine in trouble that is kept for the message about it. */
const RAW_KEPT = 4096;
/** Shared directories that fit into a microvm beside its other devices. */
const MICROVM_SHARES = 4;
/** How long a killed machine's end may take before we leave anyway. */
const LEAVE_MS = 2000;

export async function runProgram(request: RunRequest, host: RunHost): Promise<number> {
  const interrupts = catchInterrupts();
  try {
    return await runWith(request, host, interrupts);
  } finally {
    interrupts.detach();
  }
}

async function runWith(request: RunRequest, host: RunHost, interrupts: Interrupts): Promise<number> {
  const started = performance.now();
  const say = (line: string) => {
    if (request.verbose) process.stderr.write(`hull: ${(performance.now() - started).toFixed(1)} ms: ${line}\n`);
  };
  if (request.tty && !isTerminal()) throw new EngineError('option-invalid', 'the input device is not a TTY');

  const network = isNetworkAsked(request.network) ? await readNetworkOptions(request.network) : undefined;
  const paths = findStatePaths(host.env);
  const storage = planMounts(paths.volumes, request.mounts);
  try {
    return await runWithMounts(request, host, interrupts, { paths, storage, network, say });
  } finally {
    storage.release();
  }
}

/** What is known and held before the program is looked at. */
interface Preparation {
  readonly paths: StatePaths;
  readonly storage: MountPlan;
  readonly network: NetworkRequest | undefined;
  say(line: string): void;
}

async function runWithMounts(
  request: RunRequest,
  host: RunHost,
  interrupts: Interrupts,
  { paths, storage, network, say }: Preparation,
): Promise<number> {
  // The file is there and can be a program.
  const root = request.rootfs === undefined ? undefined : await openRoot(request, request.rootfs, host, paths, storage);
  const file = root === undefined ? openProgram(request.program) : undefined;
  const qemu = findQemu(request.qemu, host.env);

  // There is an image to boot.
  const tracer = request.trace === undefined ? undefined : (await import('./trace/index.ts')).createTracer(request.trace);
  const cache = { folder: paths.kernels, sources: [`${host.dist}/libos/x86_64`, `${host.dist}/lib`] };
  const add = [...(tracer === undefined ? [] : ['trace']), ...(storage.mounts.length === 0 ? [] : ['mounts']), ...(storage.shares.length === 0 ? [] : ['9p'])];
  const image =
    root !== undefined
      ? await findRootKernel(cache, root.kernel, add, () => loadLinker(host))
      : file?.kind === 'image'
        ? file.path
        : await findKernel(cache, file as Extract<ProgramFile, { kind: 'executable' }>, add, () => loadLinker(host));
  const note = file?.kind === 'image' ? file.note : readNoteOf(image);
  if (tracer !== undefined && (note.features & FEATURE.TRACE) === 0) throw refuseTrace(request.program, note);
  const needed = (storage.mounts.length === 0 ? 0 : FEATURE.MOUNTS) | (storage.shares.length === 0 ? 0 : FEATURE['9P']);
  if ((note.features & needed) !== needed) {
    throw new EngineError('option-invalid', `Cannot mount into "${request.program}": its image was built without mounts, expected one made by hull build --add mounts --add 9p`);
  }
  // A microvm has room for eight virtio devices.
  const room = network?.mode?.kind === 'named' ? MICROVM_SHARES - 1 : MICROVM_SHARES;
  const machine = storage.shares.length > room ? 'q35' : request.machine;
  say(`image ${image}`);
  if (interrupts.abortedBy !== undefined) return EXIT.SIGNAL + interrupts.abortedBy;

  // There is an accelerator that runs guests.
  const choosing = chooseAccelerator({ qemu, dist: host.dist, env: host.env }, request.accelerator, paths.accelerators);
  const choice = await Promise.race([choosing, interrupts.aborted]);
  if (interrupts.abortedBy !== undefined || choice === undefined) return EXIT.SIGNAL + (interrupts.abortedBy ?? SIGTERM);
  if (choice.notice !== undefined) process.stderr.write(`hull: ${choice.notice}\n`);
  say(`${qemu.path} ${choice.probe.qemuVersion}, ${machine}, ${choice.accelerator}, ${formatBytes(request.memory)}`);

  // Its network and its ports are had.
  const hostname = request.hostname ?? readEntropy(6).toString('hex');
  const isAble = (note.features & FEATURE.NETWORK) !== 0;
  const plan =
    network === undefined && !isAble
      ? undefined
      : await (await import('./networks/index.ts')).planNetwork(network ?? (await readNetworkOptions(request.network)), {
          isAble,
          program: request.program,
          name: request.name,
          hostname,
          dist: host.dist,
          isKvm: choice.accelerator === 'kvm',
          networks: paths.networks,
          env: host.env,
        });
  for (const line of plan?.chosen ?? []) process.stderr.write(`hull: ${line}\n`);
  const module = encodeBootModule({
    ...makeModule(request, host, hostname, choice.tscKhz),
    trace: tracer?.rules,
    exec: root?.program,
    mounts: storage.mounts,
    interfaces: plan?.interfaces,
    files: plan?.files,
  });

  setImmediate(() => sweepTemporaries(paths.kernels)); // what a killed hull left, while the machine starts
  try {
    await plan?.release();
    await plan?.listen();
    return await attendMachine(request, interrupts, {
      say,
      loadSymbolizer: async () => (await import('./toolchain/index.ts')).loadSymbolizer(image, file?.kind === 'executable' ? file.path : undefined),
      tracer,
      start: (events) =>
        startMachine(
          {
            qemu,
            dist: host.dist,
            env: { ...host.env, ...plan?.env },
            image,
            note,
            module,
            machine,
            accelerator: choice.accelerator,
            memory: request.memory,
            cpus: request.cpus,
            gdb: request.gdb,
            disk: root?.image,
            shares: storage.shares,
            cards: plan?.cards,
            name: `hull run ${request.name ?? request.program}`,
          },
          events,
        ),
    });
  } finally {
    await plan?.close();
  }
}

function isNetworkAsked(options: NetworkOptions): boolean {
  return Object.values(options).some((value) => value !== undefined && value.length > 0);
}

/** The options as they are meant; an error when they cannot be. */
async function readNetworkOptions(options: NetworkOptions): Promise<NetworkRequest> {
  const { checkNameOptions, parseNetworkMode, parsePublish } = await import('./networks/index.ts');
  checkNameOptions(options);
  return { ...options, mode: options.network === undefined ? undefined : parseNetworkMode(options.network), publish: options.publish.flatMap(parsePublish) };
}

interface Root {
  /** The EROFS image. */
  readonly image: string;
  /** The program's path in it. */
  readonly program: string;
  readonly kernel: RootProgramKernel;
}

async function openRoot(request: RunRequest, folder: string, host: RunHost, paths: StatePaths, storage: MountPlan): Promise<Root> {
  const { findInRoot, findRootImage } = await import('./roots/index.ts');
  const environment = makeEnvironment(request.env, '', request.tty, host.env);
  const path = environment.find((entry) => entry.startsWith('PATH='));
  const below = storage.mounts.map(({ target }) => target);
  const program = findInRoot(folder, request.program, path?.slice(5) ?? DEFAULT_PATH, request.workdir ?? '/', below);
  const image = findRootImage(paths.roots, folder);
  const names = environment.map((entry) => entry.split('=', 1)[0] as string).sort();
  const kernel: RootProgramKernel = {
    identity: [basename(image), program, ...names, ...below],
    async findCalls() {
      if (below.length > 0) return undefined; // what is mounted there may be a program or a library, and may change
      const { findRootCalls } = await import('./toolchain/index.ts');
      return findRootCalls({ root: folder, program, environment: names, cache: paths.analysis });
    },
  };
  return { image, program, kernel };
}

function readNoteOf(image: string): ImageNote {
  const fd = openSync(image, 'r');
  try {
    const note = readImageNote(fd);
    if (note === undefined) throw new BootError('image-invalid', `Cannot boot "${image}": no image note in it, expected an image made by hull`);
    return note;
  } finally {
    closeSync(fd);
  }
}

function refuseTrace(program: string, note: ImageNote): EngineError {
  const isBinary = (note.features & FEATURE.BINARY) !== 0;
  const [what, expected] = isBinary
    ? ['its image was built without tracing', 'one made by hull build --add trace']
    : ['in a linked program system calls are function calls', 'a program that makes system calls: a static executable'];
  return new EngineError('option-invalid', `Cannot trace "${program}": ${what}, expected ${expected}`);
}

async function loadLinker(host: RunHost) {
  const { createImageLinker } = await import('./toolchain/index.ts');
  return createImageLinker(`${host.dist}/libos/x86_64`);
}

/** The environment as Docker makes it: defaults, then what was asked for; a bare NAME takes its value from here, or is left out. */
export function makeEnvironment(asked: readonly string[], hostname: string, tty: boolean, env: NodeJS.ProcessEnv): string[] {
  const values = new Map<string, string>([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', hostname],
    ['HOME', '/root'],
  ]);
  if (tty) values.set('TERM', 'xterm');
  for (const entry of asked) {
    const at = entry.indexOf('=');
    const name = at < 0 ? entry : entry.slice(0, at);
    const value = at < 0 ? env[name] : entry.slice(at + 1);
    if (value === undefined) values.delete(name);
    else values.set(name, value);
  }
  return [...values].map(([name, value]) => `${name}=${value}`);
}

function readEntropy(size: number): Buffer {
  const fd = openSync('/dev/urandom', 'r');
  try {
    const bytes = Buffer.alloc(size);
    for (let done = 0; done < size; ) done += readSync(fd, bytes, done, size - done, null);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function makeModule(request: RunRequest, host: RunHost, hostname: string, tscKhz: number | undefined): BootModule {
  return {
    flags: FLAG.FRAMED | FLAG.DEBUG_EXIT | FLAG.STDIN | (request.tty ? FLAG.TTY : 0) | (request.gdb === undefined ? 0 : FLAG.FIXED),
    argv: [request.entrypoint ?? request.program, ...request.args],
    env: makeEnvironment(request.env, hostname, request.tty, host.env),
    cwd: request.workdir,
    hostname,
    entropy: readEntropy(32),
    realtime: BigInt(Date.now()) * 1_000_000n,
    tscKhz,
    user: request.user,
    windowSize: request.tty ? readTerminalSize() : undefined,
  };
}

interface Attendance {
  say(line: string): void;
  loadSymbolizer(): ReturnType<Parameters<typeof createLogLines>[1]>;
  readonly tracer: Tracer | undefined;
  start(events: Parameters<typeof startMachine>[1]): Machine;
}

/** Starts the machine and carries bytes and signals both ways until it is gone. */
async function attendMachine(request: RunRequest, interrupts: Interrupts, attendance: Attendance): Promise<number> {
  let endedBy: number | undefined;
  let abandoned = false; // output goes nowhere any more
  let outputError: NodeJS.ErrnoException | undefined;
  let raw = Buffer.alloc(0);
  let lent: LentTerminal | undefined;

  const queue = createOutputQueue((fd, error) => {
    if (fd !== 1) return;
    // Nobody reads any more: what a native program gets then is SIGPIPE.
    if (error.code === 'EPIPE') return sendOrEnd(SIGPIPE);
    outputError = error;
    machine.kill();
  });
  const write = (fd: number, bytes: Buffer) => {
    if (abandoned || queue.write(fd, bytes)) return;
    machine.pause();
    queue.onDrain(() => machine.resume());
  };
  const logs: LogLines = createLogLines((line) => write(2, Buffer.from(`hull: ${line.trimEnd()}\n`)), attendance.loadSymbolizer);

  const { tracer } = attendance;
  tracer?.connect((line) => write(2, Buffer.from(`${line}\n`)));

  const machine = attendance.start({
    output: (stream, bytes) => write(stream === 'stdout' ? 1 : 2, bytes),
    log: (line) => logs.push(line),
    panic: (text) => {
      for (const line of text.trimEnd().split('\n')) logs.push(line);
    },
    raw: (bytes) => {
      if (request.verbose) write(2, Buffer.from(bytes));
      else raw = Buffer.concat([raw, bytes]).subarray(-RAW_KEPT);
    },
    credit: (bytes) => input.credit(bytes),
    ready: () => attendance.say('the guest reads its channel'),
    ...(tracer !== undefined && { trace: (type, payload) => tracer.record(type, payload) }),
  });
  const input = createInputPump(machine);
  const sendOrEnd = (signal: number) => {
    if (machine.takesSignals && machine.isReady) machine.signal(signal);
    else {
      endedBy = signal;
      machine.kill();
    }
  };

  interrupts.attach(
    {
      get canTake() {
        return machine.takesSignals && machine.isReady;
      },
      send(signal) {
        const isStop = signal === SIGTERM && (request.stopTimeout !== undefined || request.stopSignal !== undefined);
        machine.signal(isStop ? (request.stopSignal ?? SIGTERM) : signal);
        if (isStop && request.stopTimeout !== undefined) setTimeout(() => machine.kill(), request.stopTimeout).unref();
      },
    },
    (signal) => {
      endedBy = signal;
      abandoned = true;
      machine.kill();
      machine.resume(); // its channel drains although nobody takes the output
      setTimeout(() => leaveBySignal(signal, lent), LEAVE_MS).unref();
    },
  );
  if (request.tty) {
    lent = lendTerminal();
    lent.onResize((rows, columns) => machine.resize(rows, columns));
  }

  let end: MachineEnd;
  try {
    end = await machine.wait();
  } finally {
    input.stop();
    if (!abandoned) await queue.flush(); // before the terminal is its own again: it would end the program's lines once more
    lent?.restore();
  }
  tracer?.end(end);
  attendance.say(`ended: ${JSON.stringify(end)}`);
  if (endedBy !== undefined && end.kind === 'killed') return EXIT.SIGNAL + endedBy;
  await logs.flush();
  await queue.flush();
  if (outputError !== undefined) {
    throw new EngineError('machine-failed', `Cannot write "standard output": ${outputError.message}, expected room for the program's output`, {
      cause: outputError,
    });
  }
  return readExitCode(request, end, raw);
}

/** A write to a terminal or pipe that nobody empties blocks exit(2) as well; a signal does not wait for it. */
function leaveBySignal(signal: number, lent: LentTerminal | undefined): void {
  lent?.restore();
  process.removeAllListeners();
  process.kill(process.pid, signal);
}

function readExitCode(request: RunRequest, end: MachineEnd, raw: Buffer): number {
  switch (end.kind) {
    case 'exited':
      return end.code;
    case 'signaled':
      return EXIT.SIGNAL + end.signal;
    case 'killed':
      if (!end.byUs) process.stderr.write(`hull: Cannot go on with "${request.program}": QEMU was killed by signal ${end.signal}\n`);
      return EXIT.SIGNAL + end.signal;
    case 'failed': {
      const text = raw.toString('utf8').trimEnd();
      if (text !== '') process.stderr.write(`${text}\n`);
      throw new EngineError('machine-failed', `Cannot run "${request.program}": ${end.reason}, expected a machine that ends with an exit status`);
    }
  }
}
