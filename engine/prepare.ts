/**
 * From a run request to a machine that can start: the same for foreground runs and for instances. Owns: the order of preparations, and what they hold until `release`.
 * Rules: all that can be refused is refused here, before a machine starts; the compiler is loaded only when an image is missing.
 *
 * Main path: openProgram or openRoot -> findKernel -> chooseAccelerator -> planNetwork -> encodeBootModule.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import {
  type Accelerator,
  BootError,
  type BootModule,
  chooseAccelerator,
  encodeBootModule,
  FEATURE,
  FLAG,
  type ImageNote,
  findQemu,
  formatBytes,
  listMachineKinds,
  type MachineKind,
  type MachineSpec,
  readImageNote,
} from '../boot/index.ts';
import { EngineError } from './errors.ts';
import { findKernel, findRootKernel, type KernelCache, type RootProgramKernel } from './images/index.ts';
import { checkNameOptions, type NetworkRequest, parseNetworkMode, parsePublish, type PlannedPort, planNetwork } from './networks/index.ts';
import type { Symbolizer } from './log-lines.ts';
import { findProgramIsa, openProgram, type ProgramFile } from './program.ts';
import { findStatePaths, readKnown, saveKnown, type StatePaths, sweepTemporaries } from './state/index.ts';
import type { Tracer } from './trace/index.ts';
import { type MountPlan, type MountRequest, openWritable, planMounts, type VolumeUser } from './volumes/index.ts';

/** What a request keeps of its image. */
export interface RequestImage {
  readonly id: string;
  /** As it was asked for. */
  readonly name: string;
  /** The EROFS image of its files; made again when the cache has it no more. */
  readonly disk: string;
  readonly labels: Readonly<Record<string, string>>;
  /** "linux/arm64"; absent: linux/amd64. */
  readonly platform?: string | undefined;
  /** "80/tcp". */
  readonly ports: readonly string[];
  /** Paths at which a run has volumes of its own, unless something else is mounted there. */
  readonly volumes: readonly string[];
  /** Its config's User, as it is written there; `user` of the request has the numbers. */
  readonly userName?: string | undefined;
  /** HEALTHCHECK: what an instance has that is not given another one. Times in ns. */
  readonly health?: HealthCheck | undefined;
}

/** Recorded for whoever supervises. Times in ns, as Docker's API has them. */
export interface HealthCheck {
  readonly test: readonly string[];
  readonly interval?: number | undefined;
  readonly timeout?: number | undefined;
  readonly startPeriod?: number | undefined;
  readonly startInterval?: number | undefined;
  readonly retries?: number | undefined;
}

export interface RunRequest {
  readonly program: string;
  /** As typed: "linux/arm64". */
  readonly platform?: string | undefined;
  /** A directory that becomes the machine's root file system; the program is looked for in it. */
  readonly rootfs?: string | undefined;
  /** The image that is the machine's root file system; the program is looked for in it. See apply-image.ts. */
  readonly image?: RequestImage | undefined;
  /** With a root file system: the file that keeps what the machine writes to it (an ext4 file system, made when it is missing); absent: memory. */
  readonly writable?: string | undefined;
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
  /** Further ports that are shown: "80", "80/udp", "90-92/tcp". */
  readonly expose?: readonly string[] | undefined;
  /** All ports that are shown are published, each on a free port of this host. */
  readonly publishAll?: boolean | undefined;
  readonly user?: BootModule['user'];
  /** The same as typed; an image's own files say what names mean. */
  readonly userName?: string | undefined;
  readonly memory: number;
  /** Somebody asked for it: an image's label does not hold. */
  readonly isMemoryGiven?: boolean | undefined;
  readonly cpus: number;
  /** What runs the machine; QEMU where nothing is said. */
  readonly vmm?: 'qemu' | 'xen' | undefined;
  readonly machine?: MachineKind | undefined;
  /** Somebody asked for it: an image's label does not hold. */
  readonly isMachineGiven?: boolean | undefined;
  readonly accelerator: Accelerator | 'auto';
  readonly qemu?: string | undefined;
  readonly gdb?: string | undefined;
  readonly tty: boolean;
  /** False: reads of stdin are at the end at once. */
  readonly stdin?: boolean | undefined;
  /** Nothing can be written but in mounts; undefined: as an image's label says. */
  readonly readOnly?: boolean | undefined;
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
/** Shared directories that fit into a microvm beside its other devices. */
const MICROVM_SHARES = 4;

/** What differs between a machine with hull beside it and one without. */
export interface PrepareOptions {
  say(line: string): void;
  /** A line for the person who asked. */
  notice(line: string): void;
  /** Of the terminal that the program gets. */
  readonly windowSize: BootModule['windowSize'];
  /** Nobody is beside the machine: what takes hull's own listeners is refused. */
  readonly isDetached: boolean;
  /** Components that the image shall have. */
  readonly add?: readonly string[];
  /** In whose name volumes are held, and where single files are shared; this process' when absent. */
  readonly volumeUser?: VolumeUser | undefined;
  /** FLAG.* of the boot module, besides those of the request. */
  readonly flags?: number | undefined;
  /** Rejects when the run is aborted meanwhile. */
  untilAborted<T>(work: Promise<T>): Promise<T>;
}

export interface PreparedMachine {
  readonly spec: MachineSpec;
  readonly tracer: Tracer | undefined;
  readonly ports: readonly PlannedPort[];
  loadSymbolizer(): Promise<Symbolizer>;
  /** Gives the held ports to QEMU, and listens where QEMU cannot: right before it starts. */
  listen(): Promise<void>;
  /** After the machine's end, or when it did not start. */
  release(): Promise<void>;
}

export async function prepareMachine(request: RunRequest, host: RunHost, options: PrepareOptions): Promise<PreparedMachine> {
  const network = isNetworkAsked(request.network) ? readNetworkOptions(request.network) : undefined;
  const paths = findStatePaths(host.env);
  const storage = planMounts(paths.volumes, request.mounts, options.volumeUser);
  try {
    if (storage.unfinished.length > 0) await (await import('./instances/index.ts')).emptyAbandoned(paths, storage.unfinished, options.volumeUser?.instance);
    return await prepareWithMounts(request, host, options, { paths, storage, network });
  } catch (error) {
    storage.release();
    throw error;
  }
}

/** What is known and held before the program is looked at. */
interface Preparation {
  readonly paths: StatePaths;
  readonly storage: MountPlan;
  readonly network: NetworkRequest | undefined;
}

async function prepareWithMounts(request: RunRequest, host: RunHost, options: PrepareOptions, { paths, storage, network }: Preparation): Promise<PreparedMachine> {
  // The file is there and can be a program.
  const root = await openRequestRoot(request, host, paths, storage.mounts.map(({ target }) => target));
  const file = root === undefined ? openProgram(request.program) : undefined;
  if (request.writable !== undefined && root === undefined) {
    throw new EngineError('option-invalid', `Cannot keep what "${request.program}" writes in "${request.writable}": it has no root file system, expected --rootfs or an image`);
  }
  const upper = request.writable === undefined ? undefined : openWritable(request.writable);
  const allDisks = upper === undefined ? storage.disks : [upper, ...storage.disks];
  const isa = file?.kind === 'image' ? file.note.isa : file === undefined ? root?.kernel.isa : file.isa;
  if (request.image === undefined && request.platform !== undefined) checkPlatform(request.program, request.platform, isa);
  const qemu = findQemu(request.qemu, host.env, isa);

  // There is an image to boot.
  const tracer = request.trace === undefined ? undefined : (await import('./trace/index.ts')).createTracer(request.trace, isa);
  const cache = findKernelCache(paths, host);
  const add = [
    ...(options.add ?? []),
    ...(tracer === undefined ? [] : ['trace']),
    ...(storage.mounts.length === 0 && request.readOnly !== true ? [] : ['mounts']),
    ...(storage.shares.length === 0 ? [] : ['9p']),
    ...readComponentLabels(request.image?.labels),
    ...(allDisks.length === 0 ? [] : ['ext4', 'virtio-blk']),
  ];
  const image =
    root !== undefined
      ? await findRootKernel(cache, root.kernel, add, () => loadLinker(host))
      : file?.kind === 'image'
        ? file.path
        : await findKernel(cache, file as Extract<ProgramFile, { kind: 'executable' }>, add, () => loadLinker(host));
  const note = file?.kind === 'image' ? file.note : readNoteOf(image);
  if (note.isa !== isa) {
    throw new EngineError('image-invalid', `Cannot run "${request.image?.name}": its program "${root?.program}" is for ${platformOf(note.isa)}, expected ${platformOf(isa)}, as the image's config says`);
  }
  // A linked program out of an image is all there is of it.
  const isAlone = root !== undefined && (note.features & FEATURE.BINARY) === 0;
  // Volumes that the image wants, and nobody else, go unseen where its program has nothing to see them by.
  const isUnseen = isAlone && (note.features & FEATURE.MOUNTS) === 0 && request.mounts.every(({ isOfImage }) => isOfImage === true);
  const { mounts, shares } = isUnseen ? { mounts: [], shares: [] } : storage;
  const disks = isAlone ? storage.disks : allDisks;
  if (tracer !== undefined && (note.features & FEATURE.TRACE) === 0) throw refuseTrace(request.program, note);
  const needed = (mounts.length === 0 && request.readOnly !== true ? 0 : FEATURE.MOUNTS) | (shares.length === 0 ? 0 : FEATURE['9P']) | (disks.length === 0 ? 0 : FEATURE.EXT4);
  if ((note.features & needed) !== needed) {
    throw new EngineError('option-invalid', `Cannot mount into "${request.program}": its image was built without mounts, expected one made by hull build --add mounts --add 9p --add ext4`);
  }
  // A microvm has room for eight virtio devices.
  const room = network?.mode?.kind === 'named' ? MICROVM_SHARES - 1 : MICROVM_SHARES;
  const machine = chooseMachine(request, isa, shares.length + disks.length > room);
  options.say(`image ${image}`);

  // There is an accelerator that runs guests.
  const choice = await options.untilAborted(chooseAccelerator({ qemu, dist: host.dist, env: host.env }, request.accelerator, paths.accelerators, isa));
  if (choice.notice !== undefined) options.notice(choice.notice);
  options.say(`${qemu.path} ${choice.probe.qemuVersion}, ${machine}, ${choice.accelerator}, ${formatBytes(request.memory)}`);

  // Its network and its ports are had.
  const hostname = request.hostname ?? readEntropy(6).toString('hex');
  const isAble = (note.features & FEATURE.NETWORK) !== 0;
  const plan =
    network === undefined && !isAble
      ? undefined
      : await planNetwork(network ?? readNetworkOptions(request.network), {
          isAble,
          program: request.program,
          name: request.name,
          hostname,
          dist: host.dist,
          isKvm: choice.accelerator === 'kvm',
          networks: paths.networks,
          env: host.env,
          isDetached: options.isDetached,
        });
  for (const line of plan?.chosen ?? []) options.notice(line);
  const base = makeModule(request, host, hostname, choice.tscKhz, options.windowSize);
  const module = encodeBootModule({
    ...base,
    flags: base.flags | (options.flags ?? 0),
    trace: tracer?.rules,
    exec: isAlone ? undefined : root?.program,
    mounts,
    upper: isAlone ? undefined : upper?.name,
    interfaces: plan?.interfaces,
    files: plan?.files,
  });
  setImmediate(() => sweepTemporaries(paths.kernels)); // what a killed hull left, while the machine starts

  return {
    spec: {
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
      disk: isAlone ? undefined : root?.image,
      volumes: disks,
      shares,
      cards: plan?.cards,
      name: `hull run ${request.name ?? request.program}`,
    },
    tracer,
    ports: plan?.ports ?? [],
    loadSymbolizer: async () => (await import('./toolchain/index.ts')).loadSymbolizer(image, file?.kind === 'executable' ? file.path : undefined),
    async listen() {
      await plan?.release();
      await plan?.listen();
    },
    async release() {
      try {
        await plan?.close();
      } finally {
        storage.release();
      }
    },
  };
}

/** An image's label, made with the other instruction set in mind, is a wish; an option is not. */
function chooseMachine(request: RunRequest, isa: ImageNote['isa'], isCrowded: boolean): MachineKind {
  const kinds = listMachineKinds(isa ?? 'x86_64');
  const { machine } = request;
  if (machine !== undefined && !kinds.includes(machine) && request.isMachineGiven === true) {
    throw new EngineError('option-invalid', `Cannot run "${request.program}" on machine "${machine}": it is for ${platformOf(isa)}, expected ${kinds.join(' or ')}`);
  }
  const chosen = machine !== undefined && kinds.includes(machine) ? machine : kinds[0];
  return chosen === 'microvm' && isCrowded ? 'q35' : chosen;
}

/** hull.components.add and .omit, names with commas between; what is left out has a "-" before it. */
export function readComponentLabels(labels: Readonly<Record<string, string>> | undefined): string[] {
  const list = (name: string) => (labels?.[name] ?? '').split(',').map((each) => each.trim()).filter((each) => each !== '');
  return [...list('hull.components.add'), ...list('hull.components.omit').map((each) => `-${each}`)];
}

function isNetworkAsked(options: NetworkOptions): boolean {
  return Object.values(options).some((value) => value !== undefined && value.length > 0);
}

/** The options as they are meant; an error when they cannot be. */
function readNetworkOptions(options: NetworkOptions): NetworkRequest {
  checkNameOptions(options);
  return { ...options, mode: options.network === undefined ? undefined : parseNetworkMode(options.network), publish: options.publish.flatMap(parsePublish) };
}

export interface Root {
  /** The EROFS image. */
  readonly image: string;
  /** The program's path in it. */
  readonly program: string;
  readonly kernel: RootProgramKernel;
}

/** Undefined: the program is a file of this host. mounted: paths at which the machine has something else than the root. */
export async function openRequestRoot(request: RunRequest, host: RunHost, paths: StatePaths, mounted: readonly string[]): Promise<Root | undefined> {
  if (request.image !== undefined) return openImage(request, request.image, host, paths, mounted);
  return request.rootfs === undefined ? undefined : openRoot(request, request.rootfs, host, paths, mounted);
}

async function openImage(request: RunRequest, image: NonNullable<RunRequest['image']>, host: RunHost, paths: StatePaths, mounted: readonly string[]): Promise<Root> {
  const disk = existsSync(image.disk) ? image.disk : await (await import('./oci/index.ts')).findImageDisk(image, paths, host.env);
  const environment = makeEnvironment(request.env, '', request.tty, host.env);
  const workdir = request.workdir ?? '/';
  const open = async () => (await import('./oci/index.ts')).openImageProgram({ disk, name: image.name, program: request.program, environment, workdir, mounted, image, paths });
  // Where the program is, is asked at each start; all else is asked when there is no kernel.
  const question = ['program', basename(disk), request.program, workdir, environment.find((entry) => entry.startsWith('PATH=')) ?? '', ...mounted];
  const known = readKnown<string>(paths.known, question);
  const program = known ?? (await open()).program;
  if (known === undefined) saveKnown(paths.known, question, program);
  const kernel: RootProgramKernel = {
    isa: isaOf(image.platform),
    identity: identifyRootProgram(disk, program, environment, mounted),
    findReady: async (add) => (await open()).findReady(add),
    findCalls: async () => (await open()).findCalls(),
  };
  return { image: disk, program, kernel };
}

/** A program with what its analysis depends on. */
export function identifyRootProgram(disk: string, program: string, environment: readonly string[], mounted: readonly string[]): string[] {
  return [basename(disk), program, ...namesOf(environment), '', ...mounted];
}

const namesOf = (environment: readonly string[]): string[] => environment.map((entry) => entry.split('=', 1)[0] as string).sort();

async function openRoot(request: RunRequest, folder: string, host: RunHost, paths: StatePaths, below: readonly string[]): Promise<Root> {
  const { findInRoot, findRootImage, readHeadInRoot } = await import('./roots/index.ts');
  const environment = makeEnvironment(request.env, '', request.tty, host.env);
  const path = environment.find((entry) => entry.startsWith('PATH='));
  const program = findInRoot(folder, request.program, path?.slice(5) ?? DEFAULT_PATH, request.workdir ?? '/', below);
  const image = await findRootImage(paths, folder, host.dist);
  const isa = findProgramIsa((name) => readHeadInRoot(folder, name, 256), program);
  const kernel: RootProgramKernel = {
    isa: isa === undefined ? isaOf(request.platform && normalizePlatform(request.platform)) : isa === 'aarch64' ? isa : undefined,
    identity: identifyRootProgram(image, program, environment, below),
    findReady: async () => undefined,
    async findCalls() {
      if (below.length > 0) return undefined; // what is mounted there may be a program or a library, and may change
      const { findRootCalls } = await import('./toolchain/index.ts');
      return findRootCalls({ root: folder, program, environment: namesOf(environment), cache: paths.analysis });
    },
  };
  return { image, program, kernel };
}

export const findKernelCache = (paths: StatePaths, host: RunHost): KernelCache => ({ folder: paths.kernels, known: paths.known, identity: `${host.dist}/identity`, sources: [`${host.dist}/libos/x86_64`, `${host.dist}/libos/aarch64`, `${host.dist}/lib`] });

export function readNoteOf(image: string): ImageNote {
  const fd = openSync(image, 'r');
  try {
    const note = readImageNote(fd);
    if (note === undefined) throw new BootError('image-invalid', `Cannot boot "${image}": no image note in it, expected an image made by hull`);
    return note;
  } finally {
    closeSync(fd);
  }
}

const platformOf = (isa: ImageNote['isa']): string => (isa === 'aarch64' ? 'linux/arm64' : 'linux/amd64');
const isaOf = (platform: string | undefined): ImageNote['isa'] => (platform === 'linux/arm64' ? 'aarch64' : undefined);

/** "arm64", "linux/aarch64", "linux/arm64/v8": "linux/arm64". */
const normalizePlatform = (text: string): string => text.toLowerCase().replace('aarch64', 'arm64').replace('x86_64', 'amd64').replace('arm64/v8', 'arm64').replace(/^(?!linux\/)/, 'linux/');

/** A program is for one platform; --platform can only be that. */
function checkPlatform(program: string, platform: string, isa: ImageNote['isa']): void {
  if (normalizePlatform(platform) !== platformOf(isa)) throw new EngineError('option-invalid', `Cannot run "${program}" on "${platform}": it is for ${platformOf(isa)}, expected that platform or no --platform`);
}

function refuseTrace(program: string, note: ImageNote): EngineError {
  const isBinary = (note.features & FEATURE.BINARY) !== 0;
  const [what, expected] = isBinary
    ? ['its image was built without tracing', 'one made by hull build --add trace']
    : ['in a linked program system calls are function calls', 'a program that makes system calls: a static executable'];
  return new EngineError('option-invalid', `Cannot trace "${program}": ${what}, expected ${expected}`);
}

export async function loadLinker(host: RunHost) {
  const { createImageLinker } = await import('./toolchain/index.ts');
  return createImageLinker(`${host.dist}/libos`);
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

export function makeModule(request: RunRequest, host: RunHost, hostname: string, tscKhz: number | undefined, windowSize: BootModule['windowSize']): BootModule {
  return {
    flags: FLAG.FRAMED | FLAG.DEBUG_EXIT | (request.stdin === false ? 0 : FLAG.STDIN) | (request.tty ? FLAG.TTY : 0) | (request.gdb === undefined ? 0 : FLAG.FIXED) | (request.readOnly === true ? FLAG.READ_ONLY : 0),
    argv: [request.entrypoint ?? request.program, ...request.args],
    env: makeEnvironment(request.env, hostname, request.tty, host.env),
    cwd: request.workdir ?? '/',
    hostname,
    entropy: readEntropy(32),
    realtime: BigInt(Date.now()) * 1_000_000n,
    tscKhz,
    user: request.user,
    windowSize,
  };
}

