/**
 * A domain of Xen as a machine: made, started, followed and ended through xl. Owns: xl's processes. The channel is the domain's console: its output by `xl console`, its input by the terminal that
 * xenconsoled has for it (xenstore-paths(7): console/tty), since `xl console` takes none from a pipe. xl.cfg keeps the domain when it ends: destroyed, it takes along what its console still holds. Rule: the domain is gone when its end is told.
 */
import { execFile, spawn } from 'node:child_process';
import { constants, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { createRecordDecoder, encodeRecord, encodeResize, encodeSignal, RECORD } from '../abi/index.ts';
import { BootError } from '../errors.ts';
import { createListener, type Machine, type MachineEnd, type MachineEvents } from '../qemu/index.ts';

const run = promisify(execFile);

/** How often xl is asked whether a domain ended that says nothing. */
const LOOK_MS = 2000;

export interface DomainSpec {
  /** The program xl. */
  readonly xl: string;
  readonly env: NodeJS.ProcessEnv;
  /** The kernel, as a path. */
  readonly image: string;
  /** With xl.cfg and what it names. */
  readonly folder: string;
  /** As xl.cfg has it. */
  readonly name: string;
  readonly takesSignals: boolean;
}

/** What is written there is the domain's input. */
async function openInput(spec: DomainSpec): Promise<WriteStream> {
  const id = (await runXl(spec, 'domid', spec.name)).trim();
  const { stdout } = await run('xenstore-read', [`/local/domain/${id}/console/tty`], { env: spec.env });
  return (await open(stdout.trim(), constants.O_WRONLY | constants.O_NOCTTY)).createWriteStream();
}

async function runXl({ xl, env, folder }: DomainSpec, ...args: string[]): Promise<string> {
  try {
    return (await run(xl, args, { env, cwd: folder })).stdout;
  } catch (cause) {
    const { code, stderr = '', message } = cause as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') throw new BootError('xl-missing', `Cannot run "${xl}": there is no such program, expected Xen's toolstack, on a machine that Xen runs`, { cause });
    const line = stderr.split('\n').find((each) => each.trim() !== '') ?? message;
    throw new BootError('xl-failed', `Cannot run "xl ${args[0]}": ${line.trim()}, expected a machine that Xen runs (dom0), and root`, { cause });
  }
}

/** It is there, and waits to be started. */
export async function createDomain(spec: DomainSpec): Promise<void> {
  await runXl(spec, 'create', '-q', '-p', 'xl.cfg');
}

/** It is shut down or crashed, or gone: the columns Name, ID, Mem, VCPUs, State (r, b, p, s, c, d, or - for each) and Time(s) of xl(1). */
async function isOver(spec: DomainSpec): Promise<boolean> {
  const listed = await runXl(spec, 'list', spec.name).catch(() => '');
  const state = listed.trim().split('\n').at(-1)?.trim().split(/\s+/).at(-2) ?? '';
  return !/^[rbp-]{6}$/.test(state);
}

export function startDomain(spec: DomainSpec, events: MachineEvents): Machine {
  const console = spawn(spec.xl, ['console', spec.name], { env: spec.env, stdio: ['ignore', 'pipe', 'ignore'] });
  let killedByUs = false;
  let isPaused = false;
  let isHeard = false; // since xl was asked last
  let startError: Error | undefined;
  let held: Buffer[] = [];
  let input: WriteStream | undefined;

  let destroyed: Promise<unknown> | undefined;
  const destroy = () => (destroyed ??= runXl(spec, 'destroy', spec.name).catch(() => {})); // somebody else may have done it
  const kill = () => {
    killedByUs = true;
    void destroy();
  };
  const fail = (error: Error) => {
    startError ??= error;
    void destroy();
  };
  const connect = (opened: WriteStream) => {
    input = opened;
    input.on('error', () => {}); // told by the console's end
    for (const bytes of held) input.write(bytes);
    held = [];
  };
  const heard = createListener(spec.image, events, {
    ending: () => void destroy(), // it is the last that a domain says
    ready: () => void openInput(spec).then(connect, fail),
  });
  const decoder = createRecordDecoder({ record: heard.record, raw: events.raw });
  console.stdout.on('data', (chunk: Buffer) => {
    isHeard = true;
    decoder.push(chunk);
  });
  /** An end without an exit status: nothing was said since the last look, and then the domain is over. */
  const look = setInterval(async () => {
    const isSilent = !isHeard && !isPaused;
    isHeard = false;
    if (isSilent && (await isOver(spec)) && !isHeard && !isPaused) await destroy();
  }, LOOK_MS);
  const closed = new Promise<void>((resolve) => {
    console.on('error', (error) => {
      startError = error;
      resolve();
    });
    console.on('close', () => resolve());
  });
  runXl(spec, 'unpause', spec.name).catch((error: Error) => {
    startError = error;
    console.kill();
  });

  const ended = closed.then(async (): Promise<MachineEnd> => {
    clearInterval(look);
    input?.destroy();
    decoder.end();
    await destroy();
    if (startError !== undefined) throw startError;
    if (heard.end !== undefined) return heard.end;
    if (killedByUs) return { kind: 'killed', signal: 9, byUs: true };
    return { kind: 'failed', reason: heard.panicked ? 'the libOS panicked' : 'the domain ended and the program reported no exit status' };
  });
  ended.catch(() => {});

  const send = (bytes: Buffer) => {
    if (input !== undefined) return input.write(bytes);
    held.push(bytes);
    return true; // the guest's credit is the bound
  };
  return {
    pid: console.pid ?? 0,
    get isReady() {
      return heard.isReady;
    },
    takesSignals: spec.takesSignals,
    signal: (signal) => void send(encodeSignal(signal)),
    resize: (rows, columns) => void send(encodeResize(rows, columns)),
    input: (bytes) => send(encodeRecord(RECORD.STDIN, bytes)),
    onDrain: (callback) => void input?.once('drain', callback), // asked for after a write that said so
    inputEnd: () => void send(encodeRecord(RECORD.STDIN_EOF)),
    pause() {
      isPaused = true;
      console.stdout.pause();
    },
    resume() {
      isPaused = false;
      isHeard = true; // what waits comes first
      console.stdout.resume();
    },
    async stop(signal, grace) {
      if (!spec.takesSignals || !heard.isReady) kill();
      else {
        send(encodeSignal(signal));
        const timer = setTimeout(kill, grace);
        ended.finally(() => clearTimeout(timer)).catch(() => {});
      }
      return ended;
    },
    kill,
    status: async () => 'running',
    wait: () => ended,
  };
}
