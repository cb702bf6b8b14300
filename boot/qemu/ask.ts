/**
 * One question to a detached machine, over QMP. Owns: its deadline, and the end of a QEMU that no longer answers. Why: a machine that switches itself off (PSCI)
 * makes QEMU clean up, in which 7.2 waits for ever for a monitor that is asked just then (monitor_cleanup). Rule: a QEMU is ended only when the exit status of
 * its program has been written for END_MS; no answer alone says nothing.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { createRecordDecoder, RECORD } from '../abi/index.ts';
import { connectQmp } from './qmp-client.ts';

/** So long a QEMU whose program has ended may take to end. */
const END_MS = 3000;
const LOOK_MS = 500;
const PIECE = 256 * 1024;

export interface AskedMachine {
  /** Where its sockets are. */
  readonly folder: string;
  /** The file that its records are appended to, and the offset where those of this run begin: an earlier run's end is not this one's. */
  readonly output: string;
  readonly from: number;
  /** Ends QEMU. */
  kill(): void;
}

/** Tells whether the program's exit status is in the file of records, behind `from`. Each look reads what has come since the one before: a run's output may be large. */
function watchEnd({ output, from }: AskedMachine): () => boolean {
  let found = false;
  let at = from;
  const decoder = createRecordDecoder({
    record: (type) => {
      found ||= type === RECORD.EXIT;
    },
    raw: () => {},
  });
  const buffer = Buffer.alloc(PIECE);
  return () => {
    const fd = openSync(output, 'r');
    try {
      for (let count = 1; !found && count > 0; at += count) {
        count = readSync(fd, buffer, 0, PIECE, at);
        decoder.push(Buffer.from(buffer.subarray(0, count))); // it may keep the beginning of a record
      }
    } finally {
      closeSync(fd);
    }
    return found;
  };
}

/** One QMP command and its answer. Rejects when QEMU refuses it, is gone, or has not answered after `patience` ms. */
export async function askDetached(machine: AskedMachine, command: string, args: Record<string, unknown> | undefined, patience: number): Promise<unknown> {
  let over: number | undefined; // since when its end is known
  let hasEnded: (() => boolean) | undefined; // most answers come before the first look
  const look = setInterval(() => {
    try {
      if (over !== undefined && performance.now() - over >= END_MS) machine.kill();
      else if (over === undefined && (hasEnded ??= watchEnd(machine))()) over = performance.now();
    } catch {
      // removed meanwhile
    }
  }, LOOK_MS);
  let deadline: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    deadline = setTimeout(() => reject(new Error(`no answer for ${patience / 1000} seconds`)), patience);
  });
  late.catch(() => {});
  const opening = connectQmp(machine.folder);
  try {
    const qmp = await Promise.race([opening, late]);
    return await Promise.race([qmp.execute(command, args), late]);
  } finally {
    clearInterval(look);
    clearTimeout(deadline);
    void opening.then((qmp) => qmp.close()).catch(() => {});
  }
}
