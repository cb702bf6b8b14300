/**
 * What a machine says on its channel, whichever VMM runs it. Owns: which record is which event, and what of it says how the machine ends.
 * Rule: the listener knows no VMM; what it has to do at an end or when the guest begins to read is its caller's.
 */
import { decodeWaitStatus, formatDeferred, openImageMemory, RECORD } from '../abi/index.ts';
import type { MachineEnd, MachineEvents } from './machine.ts';

export interface Heard {
  /** The guest reads its channel: signals and stdin reach it. */
  isReady: boolean;
  /** How the program ended, when that was said. */
  end: MachineEnd | undefined;
  panicked: boolean;
  /** Hands one record on. */
  record(type: number, payload: Buffer, time: bigint): void;
}

function readEnd(status: number): MachineEnd {
  const result = decodeWaitStatus(status);
  return 'code' in result ? { kind: 'exited', code: result.code } : { kind: 'signaled', signal: result.signal };
}

/** @param image the path of the kernel: what its deferred lines speak of. */
export function createListener(image: string, events: MachineEvents, on: { ending(): void; ready(): void }): Heard {
  const panic = (text: string) => {
    heard.panicked = true;
    on.ending();
    events.panic(text);
  };
  const heard: Heard = {
    isReady: false,
    end: undefined,
    panicked: false,
    record(type, payload, time) {
      switch (type) {
        case RECORD.STDOUT:
          return events.output('stdout', payload, time);
        case RECORD.STDERR:
          return events.output('stderr', payload, time);
        case RECORD.LOG:
          return events.log(payload.toString('utf8'));
        case RECORD.PANIC:
          return panic(payload.toString('utf8'));
        case RECORD.EXIT:
          heard.end ??= readEnd(payload.readUInt32LE(0));
          return on.ending();
        case RECORD.CREDIT:
          return events.credit(payload.readUInt32LE(0));
        case RECORD.READY:
          heard.isReady = true;
          on.ready();
          return events.ready();
        case RECORD.CLOCK:
          return events.clock?.(payload.readBigUInt64LE(0));
        case RECORD.TRACE_ENTER:
        case RECORD.TRACE_LEAVE:
          return events.trace?.(type, payload);
      }
      const deferred = formatDeferred(type, payload, openImageMemory(image));
      if (deferred?.isPanic) return panic(deferred.lines.join('\n'));
      for (const line of deferred?.lines ?? []) events.log(line);
    },
  };
  return heard;
}
