/**
 * Words with quotes and variables -> text. Owns: the expansion that a Dockerfile's instructions have ("Dockerfile reference", section
 * Environment replacement; POSIX.1-2017 XCU 2.6.2 for the modifiers). Rules: quotes and escape characters go; nothing is expanded within
 * single quotes; a variable that is not set is empty, unless a modifier says otherwise; a word of a modifier is expanded in its turn.
 */
export class ExpansionProblem extends Error {
  readonly offset: number;
  readonly length: number;

  /** offset: where in the word. */
  constructor(message: string, offset: number, length = 1) {
    super(message);
    this.name = 'ExpansionProblem';
    this.offset = offset;
    this.length = length;
  }
}

export interface Expansion {
  readonly escape: string;
  /** The variable's value; undefined: not set. */
  lookUp(name: string): string | undefined;
}

interface Piece {
  readonly text: string;
  /** Blanks in it part words no more: it was quoted, or is not out of a variable. */
  readonly isWhole: boolean;
}

interface Reader extends Expansion {
  readonly word: string;
  at: number;
}

/** One word stays one word. */
export function expandWord(word: string, expansion: Expansion): string {
  return readPieces({ ...expansion, word, at: 0 }, '')
    .map(({ text }) => text)
    .join('');
}

/** As a shell does: blanks in a variable outside of quotes part words, and what is empty without quotes is no word. */
export function expandWords(word: string, expansion: Expansion): string[] {
  const words: string[] = [];
  let open: string | undefined;
  for (const { text, isWhole } of readPieces({ ...expansion, word, at: 0 }, '')) {
    if (isWhole) {
      open = (open ?? '') + text;
      continue;
    }
    for (const part of text.split(/([ \t\n]+)/)) {
      if (part === '') continue;
      if (/^[ \t\n]/.test(part)) {
        if (open !== undefined) words.push(open);
        open = undefined;
      } else open = (open ?? '') + part;
    }
  }
  if (open !== undefined) words.push(open);
  return words;
}

/** Up to `stop` (not read) or the end; keepEscapes: for patterns, in which an escaped character is told from a bare one. */
function readPieces(reader: Reader, stop: string, keepEscapes = false): Piece[] {
  const pieces: Piece[] = [];
  while (reader.at < reader.word.length) {
    const letter = reader.word[reader.at] as string;
    if (stop !== '' && letter === stop) break;
    if (letter === "'") pieces.push(readSingleQuotes(reader));
    else if (letter === '"') pieces.push(readDoubleQuotes(reader));
    else if (letter === '$') pieces.push({ text: readVariable(reader), isWhole: false });
    else if (letter === reader.escape) {
      const next = reader.word[reader.at + 1];
      pieces.push({ text: keepEscapes ? `\\${next ?? ''}` : (next ?? ''), isWhole: true });
      reader.at += 2;
    } else {
      pieces.push({ text: letter, isWhole: true });
      reader.at++;
    }
  }
  return pieces;
}

function readSingleQuotes(reader: Reader): Piece {
  const end = reader.word.indexOf("'", reader.at + 1);
  if (end < 0) throw new ExpansionProblem("a single quote has no end, expected another '", reader.at);
  const text = reader.word.slice(reader.at + 1, end);
  reader.at = end + 1;
  return { text, isWhole: true };
}

function readDoubleQuotes(reader: Reader): Piece {
  const start = reader.at++;
  let text = '';
  while (reader.at < reader.word.length) {
    const letter = reader.word[reader.at] as string;
    if (letter === '"') {
      reader.at++;
      return { text, isWhole: true };
    }
    if (letter === '$') {
      text += readVariable(reader);
      continue;
    }
    const next = reader.word[reader.at + 1];
    if (letter === reader.escape && next !== undefined && (next === '"' || next === '$' || next === reader.escape)) {
      text += next;
      reader.at += 2;
      continue;
    }
    text += letter;
    reader.at++;
  }
  throw new ExpansionProblem('a double quote has no end, expected another "', start);
}

function readVariable(reader: Reader): string {
  const start = reader.at++;
  if (reader.word[reader.at] === '{') return readBraces(reader, start);
  const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-])/.exec(reader.word.slice(reader.at))?.[0];
  if (name === undefined) return '$';
  reader.at += name.length;
  return reader.lookUp(name) ?? '';
}

function readBraces(reader: Reader, start: number): string {
  reader.at++;
  const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-])/.exec(reader.word.slice(reader.at))?.[0];
  if (name === undefined) throw new ExpansionProblem('no name in "${", expected a variable such as ${NAME}', start, 2);
  reader.at += name.length;
  const value = reader.lookUp(name);
  const modifier = /^(?::[-+?]|[-+?]|##?|%%?|\/\/?)/.exec(reader.word.slice(reader.at))?.[0];
  let result = value ?? '';
  if (modifier !== undefined) {
    const at = reader.at;
    reader.at += modifier.length;
    if (modifier.startsWith('/')) result = replaceIn(reader, value ?? '', modifier === '//');
    else {
      const isPattern = modifier[0] === '#' || modifier[0] === '%';
      const operand = joinPieces(readPieces(reader, '}', isPattern));
      result = isPattern ? trimBy(value ?? '', operand, modifier) : chooseBy({ name, value, modifier, operand, at: start, length: at - start + 1 });
    }
  }
  if (reader.word[reader.at] !== '}') {
    const found = reader.word[reader.at];
    const message = found === undefined ? `"\${${name}" has no end, expected }` : `unsupported modifier "${found}" in "\${${name}", expected :-, :+, :?, -, +, ?, #, ##, %, %%, / or //`;
    throw new ExpansionProblem(message, found === undefined ? start : reader.at, found === undefined ? name.length + 2 : 1);
  }
  reader.at++;
  return result;
}

function joinPieces(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join('');
}

interface Choice {
  readonly name: string;
  readonly value: string | undefined;
  readonly modifier: string;
  readonly operand: string;
  readonly at: number;
  readonly length: number;
}

function chooseBy({ name, value, modifier, operand, at, length }: Choice): string {
  const isThere = modifier.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  if (modifier.endsWith('+')) return isThere ? operand : '';
  if (isThere) return value as string;
  if (modifier.endsWith('-')) return operand;
  const reason = operand !== '' ? operand : modifier === ':?' ? 'is not set or empty' : 'is not set';
  throw new ExpansionProblem(`${name}: ${reason}, expected a value`, at, length);
}

/** A shell's pattern: * and ?, and any other character for itself. */
function toExpression(pattern: string, isGreedy: boolean): string {
  let text = '';
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at] as string;
    if (letter === '*') text += isGreedy ? '[^]*' : '[^]*?';
    else if (letter === '?') text += '[^]';
    else text += (letter === '\\' && at + 1 < pattern.length ? (pattern[++at] as string) : letter).replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return text;
}

function trimBy(value: string, pattern: string, modifier: string): string {
  const isGreedy = modifier.length === 2;
  if (modifier.startsWith('#')) return value.replace(new RegExp(`^(?:${toExpression(pattern, isGreedy)})`), '');
  // The shortest tail: the last place from which the pattern reaches the end; the longest: the first one.
  const whole = new RegExp(`^(?:${toExpression(pattern, true)})$`);
  const places = Array.from({ length: value.length + 1 }, (_, at) => at);
  const from = (isGreedy ? places : places.reverse()).find((at) => whole.test(value.slice(at)));
  return from === undefined ? value : value.slice(0, from);
}

function replaceIn(reader: Reader, value: string, isEvery: boolean): string {
  const pattern = joinPieces(readPieces(reader, '/', true));
  if (reader.word[reader.at] !== '/') throw new ExpansionProblem(`a replacement has no "/" behind "${pattern}", expected \${NAME/PATTERN/TEXT}`, reader.at - 1);
  reader.at++;
  const replacement = joinPieces(readPieces(reader, '}'));
  if (pattern === '') return value;
  return value.replace(new RegExp(toExpression(pattern, true), isEvery ? 'g' : ''), () => replacement);
}
