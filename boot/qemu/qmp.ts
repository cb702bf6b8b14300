/**
 * QMP, QEMU's control protocol (docs/interop/qmp-spec): JSON lines. Owns: one connection. Rules: never on the way of a start:
 * capabilities are asked for without waiting; events are kept for the moment when QEMU is gone and someone asks why.
 */
import type { Duplex } from 'node:stream';

export interface QmpEvent {
  readonly event: string;
  readonly data?: Record<string, unknown>;
}

export interface Qmp {
  readonly events: readonly QmpEvent[];
  execute(command: string, args?: Record<string, unknown>): Promise<unknown>;
}

const LINE_MAX = 1 << 20;

export function openQmp(socket: Duplex): Qmp {
  const events: QmpEvent[] = [];
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 0;
  let text = '';

  const handleLine = (line: string) => {
    let message: { event?: string; data?: Record<string, unknown>; id?: number; return?: unknown; error?: { desc?: string } };
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    if (message.event !== undefined) {
      if (events.length < 100) events.push({ event: message.event, ...(message.data === undefined ? {} : { data: message.data }) });
      return;
    }
    const waiter = message.id === undefined ? undefined : waiting.get(message.id);
    if (waiter === undefined) return;
    waiting.delete(message.id as number);
    if (message.error !== undefined) waiter.reject(new Error(message.error.desc ?? 'QMP error'));
    else waiter.resolve(message.return);
  };

  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    if (text.length > LINE_MAX) text = '';
    let end = text.indexOf('\n');
    while (end >= 0) {
      handleLine(text.slice(0, end));
      text = text.slice(end + 1);
      end = text.indexOf('\n');
    }
  });
  socket.on('error', () => {}); // QEMU's end is reported by its exit
  // The other side's end is no close where a socket may be half open.
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      for (const waiter of waiting.values()) waiter.reject(new Error('QEMU ended'));
      waiting.clear();
    });
  }

  const execute = (command: string, args?: Record<string, unknown>) =>
    new Promise<unknown>((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ execute: command, id, ...(args === undefined ? {} : { arguments: args }) })}\n`);
    });
  execute('qmp_capabilities').catch(() => {});
  return { events, execute };
}
