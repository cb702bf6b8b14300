/**
 * What is said to a running machine: records on the sockets of its console's ports (libos/abi/boot_abi.h), and QMP. Owns: one short conversation each. Rule: the
 * first port is for records that are answered at once (signals, window sizes), by clients that leave then.
 */
import { askDetached, type BootError, connectIn, createRecordDecoder, encodeResize, encodeSignal, FEATURE, RECORD } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { isSameProcess } from '../state/index.ts';
import { outputPath } from './output.ts';
import { SIGNAL_PORT, takePort } from './port.ts';
import type { Instance } from './types.ts';

/** How long a conversation may take: another client's is over in milliseconds. */
const PATIENCE_MS = 10_000;

function fail(instance: Instance, what: string, cause: unknown): EngineError {
  return new EngineError('instance-conflict', `Cannot ${what} container ${instance.config.name}: ${(cause as BootError).message}, expected its machine to answer`, { cause });
}

async function withPatience<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${PATIENCE_MS / 1000} seconds`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether signals reach the program; else the machine can only be ended. */
export function takesSignals({ state }: Instance): boolean {
  const isReachable = (state.features & FEATURE.CONTROL) !== 0 || (state.features & FEATURE.VIRTIO_CONSOLE) === 0;
  return isReachable && (state.features & FEATURE.SIGNALS) !== 0;
}

/** Resolves when the guest has taken it, or is gone. */
async function sendRecord(instance: Instance, bytes: Buffer, what: string): Promise<void> {
  try {
    const isSerial = (instance.state.features & FEATURE.VIRTIO_CONSOLE) === 0; // a 16550 has one port, and nothing is said back on it
    const opening = isSerial ? connectIn(instance.folder, SIGNAL_PORT) : takePort(instance, SIGNAL_PORT);
    const socket = await withPatience(opening).catch((error: unknown) => {
      void opening.then(
        (late) => late.destroy(),
        () => {},
      );
      throw error;
    });
    const taken = new Promise<void>((resolve, reject) => {
      const decoder = createRecordDecoder({
        record: (type) => {
          if (type === RECORD.DONE) resolve();
        },
        raw: () => {},
      });
      socket.on('data', (chunk: Buffer) => decoder.push(chunk));
      socket.on('close', () => resolve());
      socket.on('error', reject);
      if (isSerial) socket.end(bytes, () => resolve());
      else socket.write(bytes);
    });
    try {
      await withPatience(taken);
    } finally {
      socket.destroy();
    }
  } catch (error) {
    throw fail(instance, what, error);
  }
}

export function sendSignal(instance: Instance, signal: number): Promise<void> {
  return sendRecord(instance, encodeSignal(signal), 'signal');
}

export function sendResize(instance: Instance, rows: number, columns: number): Promise<void> {
  return sendRecord(instance, encodeResize(rows, columns), 'resize');
}

/** One QMP command and its answer. */
export async function askMachine(instance: Instance, command: string, args?: Record<string, unknown>): Promise<unknown> {
  const { folder } = instance;
  const { pid, identity, logStart } = instance.state;
  const kill = () => {
    if (isSameProcess(pid, identity)) process.kill(pid, 'SIGKILL');
  };
  try {
    return await askDetached({ folder, output: outputPath(folder), from: logStart, kill }, command, args, PATIENCE_MS);
  } catch (error) {
    throw fail(instance, 'control', error);
  }
}
