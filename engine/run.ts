/**
 * `hull run` in the foreground: a program -> a machine -> its exit code. Owns: the order of things and what the end means. Rules: nothing
 * is left behind however this ends (QEMU dies with its parent, there are no named files); the compiler is loaded only when an
 * image is missing or an address wants a name; the exit code is the program's, 128 + the signal that ended it, or Docker's 125 to 127.
 *
 * Main path: prepareMachine -> startMachine -> records to stdout, stderr -> wait -> exit code.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createInputPump,
  createOutputQueue,
  FEATURE,
  isTerminal,
  type LentTerminal,
  lendTerminal,
  type Machine,
  type MachineEnd,
  readTerminalSize,
  startMachine,
} from '../boot/index.ts';
import { applyImage } from './apply-image.ts';
import { EngineError, EXIT } from './errors.ts';
import { catchInterrupts, type Interrupts } from './interrupts.ts';
import { createLogLines, type LogLines } from './log-lines.ts';
import { type PreparedMachine, prepareMachine, readNoteOf, type RunHost, type RunRequest } from './prepare.ts';
import type { Tracer } from './trace/index.ts';

const SIGTERM = 15;
const SIGPIPE = 13;
/** Raw text of a machine in trouble that is kept for the message about it. */
const RAW_KEPT = 4096;
/** How long a killed machine's end may take before we leave anyway. */
const LEAVE_MS = 2000;

export async function runProgram(request: RunRequest, host: RunHost): Promise<number> {
  const interrupts = catchInterrupts();
  try {
    if (request.vmm === 'xen') return await runDomain(request, host, interrupts);
    const applied = await Promise.race([applyImage(request, host), interrupts.aborted]);
    if (interrupts.abortedBy !== undefined) return EXIT.SIGNAL + interrupts.abortedBy;
    return await runWith(applied as RunRequest, host, interrupts);
  } finally {
    interrupts.detach();
  }
}

async function runWith(request: RunRequest, host: RunHost, interrupts: Interrupts): Promise<number> {
  const started = request.verbose ? performance.now() : 0; // its module takes a millisecond to load
  const say = (line: string) => {
    if (request.verbose) process.stderr.write(`hull: ${(performance.now() - started).toFixed(1)} ms: ${line}\n`);
  };
  if (request.name !== undefined) await (await import('./instances/index.ts')).requireFreeName(request.name, host.env);
  if (request.tty && !isTerminal()) throw new EngineError('option-invalid', 'the input device is not a TTY');
  let machine: PreparedMachine;
  try {
    machine = await prepareMachine(request, host, {
      say,
      notice: (line) => process.stderr.write(`hull: ${line}\n`),
      windowSize: request.tty ? readTerminalSize() : undefined,
      isDetached: false,
      untilAborted: async (work) => {
        const result = await Promise.race([work, interrupts.aborted]);
        if (interrupts.abortedBy !== undefined) throw new Aborted(interrupts.abortedBy);
        return result as Awaited<typeof work>;
      },
    });
  } catch (error) {
    if (error instanceof Aborted) return EXIT.SIGNAL + error.signal;
    throw error;
  }
  try {
    await machine.listen();
    return await attendMachine(request, interrupts, {
      say,
      loadSymbolizer: machine.loadSymbolizer,
      tracer: machine.tracer,
      start: (events) => startMachine(machine.spec, events),
    });
  } finally {
    await machine.release();
  }
}

/** Under Xen: a folder for xl, which is gone with the domain. */
async function runDomain(request: RunRequest, host: RunHost, interrupts: Interrupts): Promise<number> {
  const { mounts, network, tty, trace, writable, gdb } = request;
  const refused = Object.entries({ 'a mount': mounts.length > 0, '--publish': network.publish.length > 0, '--network': network.network !== undefined, '--tty': tty, '--trace': trace !== undefined, '--writable': writable !== undefined, '--gdb': gdb !== undefined });
  for (const [what, isAsked] of refused) {
    if (isAsked) throw new EngineError('option-invalid', `Cannot run "${request.program}" under Xen with ${what}: nothing there does that, expected --vmm qemu`);
  }
  const [{ exportImage }, { createDomain, makeDomainName, startDomain }] = await Promise.all([import('./export/index.ts'), import('../boot/xen/index.ts')]);
  const folder = mkdtempSync(join(tmpdir(), 'hull-xen-'));
  try {
    const name = makeDomainName(`${request.name ?? 'hull'}-${process.pid}`);
    const output = join(folder, name);
    await exportImage({ format: 'xl', output, run: request, isFramed: true }, host);
    const image = join(output, 'kernel');
    const domain = { xl: 'xl', env: host.env, image, folder: output, name, takesSignals: (readNoteOf(image).features & FEATURE.SIGNALS) !== 0 };
    await createDomain(domain);
    return await attendMachine(request, interrupts, {
      say: () => {},
      loadSymbolizer: async () => (await import('./toolchain/index.ts')).loadSymbolizer(image, undefined),
      tracer: undefined,
      start: (events) => startDomain(domain, events),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A signal came before there was a machine. */
class Aborted extends Error {
  constructor(readonly signal: number) {
    super(`signal ${signal}`);
  }
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
