/** Transfers as people see them: lines that are drawn again on a terminal, one line a finished blob elsewhere. Owns: what is on the screen meanwhile. */
import type { TransferEvents } from '../engine/ship/index.ts';
import { formatBytesShort } from './human.ts';

const WORDS = { waiting: 'Waiting', there: 'Already exists', mounted: 'Mounted' } as const;
const REDRAW_MS = 100;

/** `verb`: "Pull" or "Push". */
export function createProgress(verb: 'Pull' | 'Push', stream: NodeJS.WriteStream): TransferEvents & { end(): void } {
  const lines = new Map<string, string>();
  const isTerminal = stream.isTTY === true;
  let drawn = 0;
  let last = 0;
  const draw = () => {
    last = Date.now();
    const rows = (stream.rows ?? 24) - 1;
    const shown = [...lines.values()].slice(-rows);
    stream.write(`${drawn > 0 ? `\x1b[${drawn}A` : ''}${shown.map((line) => `\x1b[2K${line.slice(0, (stream.columns ?? 80) - 1)}\n`).join('')}`);
    drawn = shown.length;
  };
  return {
    blob({ digest, size }, state, done) {
      const id = digest.slice('sha256:'.length, 'sha256:'.length + 12);
      const text = state === 'moving' ? `${verb}ing ${formatBytesShort(done)}/${formatBytesShort(size)}` : state === 'done' ? (verb === 'Pull' ? 'Pull complete' : 'Pushed') : state === 'there' && verb === 'Push' ? 'Layer already exists' : WORDS[state];
      const before = lines.get(digest);
      lines.set(digest, `${id}: ${text}`);
      if (isTerminal) {
        if (state !== 'moving' || Date.now() - last > REDRAW_MS) draw();
      } else if (state !== 'moving' && state !== 'waiting' && before !== lines.get(digest)) stream.write(`${lines.get(digest)}\n`);
    },
    end() {
      if (isTerminal && lines.size > 0) draw();
    },
  };
}
