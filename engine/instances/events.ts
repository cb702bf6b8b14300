/**
 * The journal of what happened: $HULL_ROOT/events.jsonl, a line of JSON each, in the form of Docker's event messages. Owns: writing, reading and following. Rules: a line is
 * one write to the end of the file (O_APPEND), so lines of several processes never mix; a full journal becomes the one before, so that at most two are kept; who cannot
 * write it goes on without.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, statSync, writeSync } from 'node:fs';

export interface EngineEvent {
  readonly Type: 'container' | 'image' | 'network' | 'volume';
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  /** Seconds, nanoseconds since 1970. */
  readonly time: number;
  readonly timeNano: number;
}

const MOST_BYTES = 4 * 1024 * 1024;
const POLL_MS = 100;

export function recordEvent(journal: string, type: EngineEvent['Type'], action: string, id: string, attributes: Readonly<Record<string, string>>): void {
  const now = Date.now();
  const event: EngineEvent = { Type: type, Action: action, Actor: { ID: id, Attributes: attributes }, scope: 'local', time: Math.floor(now / 1000), timeNano: now * 1e6 };
  try {
    const fd = openSync(journal, 'a', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(event)}\n`);
      if (fstatSync(fd).size > MOST_BYTES) renameSync(journal, `${journal}.1`);
    } finally {
      closeSync(fd);
    }
  } catch {
    // a full disk must not keep an instance from ending
  }
}

function parseLines(text: string): EngineEvent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as EngineEvent];
      } catch {
        return []; // cut short by a full disk
      }
    });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What was recorded so far. */
export function readEvents(journal: string): EngineEvent[] {
  return parseLines(`${readText(`${journal}.1`)}${readText(journal)}`);
}

/** What is recorded from now on, until `signal` says to end. */
export async function* followEvents(journal: string, signal: AbortSignal): AsyncGenerator<EngineEvent> {
  const look = () => statSync(journal, { throwIfNoEntry: false });
  let known = look();
  let at = known?.size ?? 0;
  let rest = '';
  while (!signal.aborted) {
    const now = look();
    if (now !== undefined && now.ino !== known?.ino) {
      if (known !== undefined && look()?.ino !== known.ino) rest += readFrom(`${journal}.1`, at);
      at = 0;
    }
    known = now ?? known;
    if (now !== undefined && now.size > at) {
      const text = readFrom(journal, at);
      at += Buffer.byteLength(text);
      rest += text;
    }
    const end = rest.lastIndexOf('\n') + 1;
    if (end > 0) {
      const lines = rest.slice(0, end);
      rest = rest.slice(end);
      yield* parseLines(lines);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, POLL_MS);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }
}

function readFrom(path: string, at: number): string {
  try {
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(fd).size - at));
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, at));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
