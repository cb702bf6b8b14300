/**
 * One machine under QEMU, from the start to the end. Owns: the process, its channel and its QMP connection, and the reading of how
 * it ended. Rules: QEMU runs in a session of its own (a terminal's Ctrl-C reaches only the caller), inherits nothing but
 * its descriptors, and ends with its parent. Nothing here decides policy: signals, stdin and output belong to the caller.
 *
 * Main path: startMachine() spawns; the decoder hands records to `events`; wait() resolves when QEMU is gone and its channel is drained.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Duplex, Readable } from 'node:stream';
import {
  createRecordDecoder,
  encodeRecord,
  encodeResize,
  encodeSignal,
  FEATURE,
  type ImageNote,
  RECORD,
} from '../abi/index.ts';
import { BootError } from '../errors.ts';
import { createChannelWriter } from './channel-writer.ts';
import { type Accelerator, type Card, type MachineKind, makeQemuArguments, type Share, takesLinuxImage, type VolumeDisk } from './arguments.ts';
import { findQboot, type Qemu } from './find.ts';
import { createListener } from './heard.ts';
import { readLinuxImage } from './linux-image.ts';
import { wrapLaunch } from './launch.ts';
import { openQmp } from './qmp.ts';
import { writeUnlinkedFile } from './scratch.ts';

export interface MachineSpec {
  readonly qemu: Qemu;
  /** The folder that holds bin/hull-launch-<isa>. */
  readonly dist: string;
  readonly env: NodeJS.ProcessEnv;
  /** Path of the image; /dev/fd paths are not possible (QEMU opens it itself). */
  readonly image: string;
  readonly note: ImageNote;
  readonly module: Uint8Array;
  readonly machine: MachineKind;
  readonly accelerator: Accelerator;
  readonly memory: number;
  readonly cpus?: number | undefined;
  readonly log?: string | undefined;
  readonly gdb?: string | undefined;
  /** Path of a raw image that the machine has as a read-only disk. */
  readonly disk?: string | undefined;
  readonly volumes?: readonly VolumeDisk[] | undefined;
  readonly shares?: readonly Share[] | undefined;
  readonly cards?: readonly Card[] | undefined;
  readonly name?: string | undefined;
  readonly extra?: readonly string[] | undefined;
}

export interface MachineEvents {
  output(stream: 'stdout' | 'stderr', bytes: Buffer, time: bigint): void;
  log(line: string): void;
  panic(text: string): void;
  /** Bytes outside of records: firmware, or a guest in trouble. */
  raw(bytes: Buffer): void;
  credit(bytes: number): void;
  ready(): void;
  clock?(tscKhz: bigint): void;
  /** A record about a traced system call. */
  trace?(type: number, payload: Buffer): void;
}

/** How a machine ended. */
export type MachineEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number }
  | { readonly kind: 'killed'; readonly signal: number; readonly byUs: boolean }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Machine {
  readonly pid: number;
  /** The guest reads its channel: signals and stdin reach it. */
  readonly isReady: boolean;
  /** Whether a signal reaches the program (else the caller must end the machine). */
  readonly takesSignals: boolean;
  signal(signal: number): void;
  resize(rows: number, columns: number): void;
  /** Sends stdin. False when the channel is full: wait for `onDrain`. */
  input(bytes: Uint8Array): boolean;
  onDrain(callback: () => void): void;
  inputEnd(): void;
  /** Flow control towards the guest: while paused it blocks in its writes. */
  pause(): void;
  resume(): void;
  /** Asks the program to end; kills the machine when it has not after `grace` ms, or at once when it cannot be asked. */
  stop(signal: number, grace: number): Promise<MachineEnd>;
  kill(): void;
  status(): Promise<string>;
  wait(): Promise<MachineEnd>;
}

const STDERR_MAX = 16384;
/** A guest that has reported its status has this long to leave. */
const EXIT_GRACE_MS = 3000;

export function startMachine(spec: MachineSpec, events: MachineEvents): Machine {
  checkSpec(spec);
  const both = FEATURE.VIRTIO_CONSOLE | FEATURE.UART;
  const hasEarly = (spec.note.features & both) === both;
  const moduleFd = writeUnlinkedFile(spec.module, spec.env);
  const kernelFd = takesLinuxImage(spec.machine) ? writeUnlinkedFile(readLinuxImage(spec.image), spec.env) : undefined;
  let child: ChildProcess;
  try {
    const args = makeQemuArguments({
      machine: spec.machine,
      accelerator: spec.accelerator,
      memory: spec.memory,
      cpus: spec.cpus ?? 1,
      image: kernelFd === undefined ? spec.image : `/proc/self/fd/${hasEarly ? 7 : 6}`,
      features: spec.note.features,
      fds: { channel: 3, qmp: 4, module: 5, early: hasEarly ? 6 : undefined },
      log: spec.log,
      gdb: spec.gdb,
      disk: spec.disk,
      volumes: spec.volumes,
      shares: spec.shares,
      cards: spec.cards,
      name: spec.name,
      qboot: spec.machine === 'q35' ? findQboot(spec.qemu) : undefined,
      extra: spec.extra,
    });
    const launch = wrapLaunch(spec.dist, spec.qemu.path, args, spec.env, { memory: spec.memory });
    child = spawn(launch.program, launch.args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', moduleFd, ...(hasEarly ? (['pipe'] as const) : []), ...(kernelFd === undefined ? [] : [kernelFd])],
      detached: true,
      env: spec.env,
    });
  } finally {
    if (kernelFd !== undefined) closeSync(kernelFd);
    closeSync(moduleFd);
  }
  return watchMachine(spec, child, events, hasEarly);
}

export function checkSpec(spec: MachineSpec): void {
  const { features, leastMemory } = spec.note;
  if ((features & (FEATURE.UART | FEATURE.VIRTIO_CONSOLE)) === 0) {
    throw new BootError('image-invalid', `Cannot boot "${spec.image}": its note names no channel, expected a UART or a virtio console`);
  }
  if (spec.memory < leastMemory) {
    throw new BootError(
      'memory-small',
      `Cannot boot "${spec.image}": ${formatBytes(spec.memory)} of memory given, expected at least ${formatBytes(leastMemory)} (-m)`,
    );
  }
}

export function formatBytes(bytes: number): string {
  if (bytes % 1048576 === 0) return `${bytes / 1048576} MiB`;
  return bytes >= 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${bytes} bytes`;
}

function watchMachine(spec: MachineSpec, child: ChildProcess, events: MachineEvents, hasEarly: boolean): Machine {
  const channel = child.stdio[3] as Duplex;
  const early = hasEarly ? ((child.stdio as readonly unknown[])[6] as Duplex) : undefined;
  const inputs = early === undefined ? [channel] : [channel, early];
  const writer = createChannelWriter(channel);
  const qmp = openQmp(child.stdio[4] as Duplex);
  let killedByUs = false;
  let exitTimer: NodeJS.Timeout | undefined;
  let errorText = '';
  const held: Buffer[] = []; // records for a guest that does not read yet

  const kill = () => {
    killedByUs = true;
    child.kill('SIGKILL');
  };
  const heard = createListener(spec.image, events, {
    ending: () => {
      exitTimer ??= setTimeout(kill, EXIT_GRACE_MS);
    },
    ready: () => {
      for (const bytes of held.splice(0)) writer.write(bytes);
    },
  });
  for (const input of inputs) {
    const decoder = createRecordDecoder({ record: heard.record, raw: events.raw });
    input.on('data', (chunk: Buffer) => decoder.push(chunk));
    input.on('end', () => decoder.end());
    input.on('error', () => {}); // QEMU's end is reported by its exit
  }
  (child.stdio[2] as Readable).on('data', (chunk: Buffer) => {
    if (errorText.length < STDERR_MAX) errorText += chunk.toString('utf8');
  });

  const ended = new Promise<MachineEnd>((resolve, reject) => {
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      reject(new BootError('qemu-failed', `Cannot start "${spec.qemu.path}": ${error.message}, expected an executable QEMU`, { cause: error }));
    });
    // 'close' comes when QEMU is gone and every byte that it wrote has been read.
    child.on('close', (code, signal) => {
      clearTimeout(exitTimer);
      resolve(readEnd(code, signal));
    });
  });
  ended.catch(() => {});

  const readEnd = (code: number | null, signal: NodeJS.Signals | null): MachineEnd => {
    if (heard.end !== undefined) return heard.end;
    if (heard.panicked) return { kind: 'failed', reason: 'the libOS panicked' };
    if (signal !== null) return { kind: 'killed', signal: constants.signals[signal] ?? 9, byUs: killedByUs };
    const text = explainError(errorText, spec);
    if (text !== undefined) return { kind: 'failed', reason: text };
    const shutdown = qmp.events.find((event) => event.event === 'SHUTDOWN')?.data?.['reason'];
    if (shutdown === 'guest-reset') return { kind: 'failed', reason: 'the machine reset itself (triple fault)' };
    if (shutdown === 'host-qmp-quit' || shutdown === 'host-signal') return { kind: 'killed', signal: 15, byUs: false };
    // A guest that ends in the first milliseconds, on a busy host: QEMU had not read yet that somebody wants its events.
    if (code === 0 && shutdown === undefined) return { kind: 'failed', reason: 'the machine reset itself (triple fault), or switched itself off, right at its start' };
    return { kind: 'failed', reason: `QEMU ended with code ${code} and the program reported no exit status` };
  };

  const send = (bytes: Buffer) => {
    if (!heard.isReady) held.push(bytes);
    else return writer.write(bytes);
    return true;
  };

  return {
    pid: child.pid ?? 0,
    get isReady() {
      return heard.isReady;
    },
    takesSignals: (spec.note.features & FEATURE.SIGNALS) !== 0,
    signal: (signal) => void send(encodeSignal(signal)),
    resize: (rows, columns) => void send(encodeResize(rows, columns)),
    input: (bytes) => send(encodeRecord(RECORD.STDIN, bytes)),
    onDrain: writer.onDrain,
    inputEnd: () => void send(encodeRecord(RECORD.STDIN_EOF)),
    pause: () => {
      for (const input of inputs) input.pause();
    },
    resume: () => {
      for (const input of inputs) input.resume();
    },
    async stop(signal, grace) {
      if ((spec.note.features & FEATURE.SIGNALS) === 0 || !heard.isReady) kill();
      else {
        send(encodeSignal(signal));
        const timer = setTimeout(kill, grace);
        ended.finally(() => clearTimeout(timer)).catch(() => {});
      }
      return ended;
    },
    kill,
    status: async () => String(((await qmp.execute('query-status')) as { status?: string }).status),
    wait: () => ended,
  };
}

/** QEMU's complaint as one line, with what to do where that is known. */
export function explainError(text: string, spec: Pick<MachineSpec, 'memory'>): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/warning:/.test(line));
  const line = lines.find((each) => /error|cannot|could not|failed|invalid|unable|no such|not /i.test(each)) ?? lines[0];
  if (line === undefined) return undefined;
  const clean = line.replace(/^.*?qemu-system-\w+: /, '').trim();
  if (/cannot allocate memory|cannot set up guest memory/i.test(clean)) {
    return `${clean}: the host has no ${formatBytes(spec.memory)} for it, expected less memory (-m)`;
  }
  return clean;
}
