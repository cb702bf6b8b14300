/**
 * The text of a Dockerfile and places in it. Owns: how a place is shown to a person. Rules: lines and columns count from 1, columns in UTF-16
 * units; a place belongs to one physical line, also within an instruction that goes over several.
 */
export interface DockerfileSource {
  /** As the person named it: a path, or "-" for standard input. */
  readonly name: string;
  readonly lines: readonly string[];
}

export interface Place {
  readonly line: number;
  readonly column: number;
  /** Characters from there on that are meant. */
  readonly length: number;
}

export type DockerfileErrorCode =
  | 'dockerfile-invalid'; // a Dockerfile breaks the language's rules, or names what is not there

export class DockerfileError extends Error {
  readonly code: DockerfileErrorCode = 'dockerfile-invalid';

  constructor(source: DockerfileSource, place: Place, message: string, options?: { cause?: unknown }) {
    super(`${source.name}:${place.line}:${place.column}: ${message}\n${showPlace(source, place)}`, options);
    this.name = 'DockerfileError';
  }
}

export function makeSource(name: string, text: string): DockerfileSource {
  return { name, lines: text.replace(/^\uFEFF/, '').split(/\r?\n/) };
}

/** The line, and below it a caret and tildes under what is meant; tabs stay tabs, so that both lines align. */
function showPlace(source: DockerfileSource, { line, column, length }: Place): string {
  const text = source.lines[line - 1] ?? '';
  const number = String(line).padStart(4);
  const blank = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
  const most = Math.max(1, Math.min(length, text.length - column + 1));
  return `${number} | ${text}\n${' '.repeat(number.length)} | ${blank}^${'~'.repeat(most - 1)}`;
}

/** The words of `known` that `word` was probably meant to be, nearest first; none when none is near. */
export function findNearest(word: string, known: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let least = most + 1;
  for (const each of known) {
    const distance = measureDistance(word.toLowerCase(), each.toLowerCase());
    if (distance < least) {
      best = each;
      least = distance;
    }
  }
  return best;
}

/** Edits that turn one word into the other: insert, delete, replace, swap of neighbours (optimal string alignment). */
function measureDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] as number) + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length] as number;
}

/** The end of a message about a word that is not known: the nearest one, or all. */
export function expectOneOf(word: string, known: readonly string[]): string {
  const nearest = findNearest(word, known);
  return nearest === undefined ? `expected ${known.length === 1 ? '' : 'one of '}${known.join(', ')}` : `expected ${nearest}`;
}
