/**
 * Physical lines -> directives and logical lines. Owns: parser directives, comments, continuation lines, heredoc bodies.
 * Rules ("Dockerfile reference", Docker's documentation; sections Parser directives, Format, Here-Documents): directives come first; a comment
 * or an empty line within an instruction is left out; a line goes on when its last character but blanks is a single escape character; a
 * heredoc's body begins after the instruction's last line. Each character of a logical line knows where it is from.
 */
import { DockerfileError, type DockerfileSource, type Place } from './source.ts';

export interface Directives {
  readonly escape: '\\' | '`';
  /** The frontend that the file asks for; ours reads every one. */
  readonly syntax?: string;
  readonly check?: string;
}

export interface Heredoc {
  /** The word that ends it. */
  readonly name: string;
  /** Its delimiter was without quotes: variables in the body are expanded. */
  readonly expand: boolean;
  readonly body: string;
}

export interface LogicalLine {
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  /** Numbers of the first and last physical line, heredocs included. */
  readonly first: number;
  readonly last: number;
  /** Where the characters from `offset` of `text` on are. */
  readonly marks: readonly { readonly offset: number; readonly line: number; readonly column: number }[];
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.*?)\s*$/;
const WITH_HEREDOCS = /^\s*(?:ONBUILD\s+)?(ADD|COPY|RUN)\s/i;
const HEREDOC = /^\d*<<(-?)(?:"([^"<\s]+)"|'([^'<\s]+)'|([^<\s"']+))$/;

/** Where `length` characters at `offset` of a logical line are; a place never goes beyond its physical line. */
export function locate(line: LogicalLine, offset: number, length = 1): Place {
  let found = line.marks[0] as LogicalLine['marks'][number];
  let end = line.text.length;
  for (const mark of line.marks) {
    if (mark.offset > offset) {
      end = mark.offset;
      break;
    }
    found = mark;
  }
  return { line: found.line, column: found.column + offset - found.offset, length: Math.max(1, Math.min(length, end - offset)) };
}

export function readDirectives(source: DockerfileSource): Directives {
  const found = new Map<string, string>();
  for (const [index, line] of source.lines.entries()) {
    // The first line may say which program reads the file.
    if (index === 0 && line.startsWith('#!')) continue;
    const match = DIRECTIVE.exec(line.trimStart());
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || !['syntax', 'escape', 'check'].includes(name)) break;
    const place = { line: index + 1, column: line.indexOf(match[1] as string) + 1, length: name.length };
    if (found.has(name)) throw new DockerfileError(source, place, `directive "${name}" again, expected it once`);
    const value = match[2] as string;
    if (name === 'escape' && value !== '\\' && value !== '`') {
      throw new DockerfileError(source, { ...place, column: line.indexOf('=') + 2, length: value.length + 1 }, `escape character "${value}", expected \\ or \``);
    }
    found.set(name, value);
  }
  const syntax = found.get('syntax');
  const check = found.get('check');
  return { escape: found.get('escape') === '`' ? '`' : '\\', ...(syntax === undefined ? {} : { syntax }), ...(check === undefined ? {} : { check }) };
}

export function readLogicalLines(source: DockerfileSource, escaper: Directives['escape']): LogicalLine[] {
  const lines: LogicalLine[] = [];
  const quoted = escaper === '\\' ? '\\\\' : '`';
  const goesOn = new RegExp(`(^|[^${quoted}])${quoted}[ \\t]*$`);
  const isLeftOut = (text: string) => text.trim() === '' || text.trimStart().startsWith('#');
  let at = 0;
  while (at < source.lines.length) {
    if (isLeftOut(source.lines[at] as string)) {
      at++;
      continue;
    }
    const first = at + 1;
    const marks: { offset: number; line: number; column: number }[] = [];
    let text = '';
    for (let more = true; more && at < source.lines.length; at++) {
      const line = source.lines[at] as string;
      if (text !== '' && isLeftOut(line)) continue;
      const from = text === '' ? line.length - line.trimStart().length : 0;
      more = goesOn.test(line);
      marks.push({ offset: text.length, line: at + 1, column: from + 1 });
      text += more ? line.slice(from).replace(new RegExp(`${quoted}[ \\t]*$`), '') : line.slice(from);
      if (text === '') text = ' ';
    }
    const heredocs: Heredoc[] = [];
    const begun: LogicalLine = { text: text.trimEnd(), heredocs, first, last: at, marks };
    for (const word of findHeredocWords(begun.text, escaper)) {
      const { body, next } = readHeredoc(source, begun, word, at);
      heredocs.push({ name: word.name, expand: word.expand, body });
      at = next;
    }
    lines.push({ ...begun, last: at });
  }
  return lines;
}

interface HeredocWord {
  readonly name: string;
  readonly expand: boolean;
  /** Tabs at the begin of lines go. */
  readonly chomp: boolean;
  readonly offset: number;
  readonly length: number;
}

/** The words of ADD, COPY and RUN that begin a heredoc; what is within quotes is text. */
function findHeredocWords(text: string, escaper: string): HeredocWord[] {
  const keyword = WITH_HEREDOCS.exec(text);
  if (keyword === null) return [];
  const found: HeredocWord[] = [];
  for (const { word, offset } of splitShellWords(text, keyword[0].length, escaper)) {
    const match = HEREDOC.exec(word);
    if (match === null) continue;
    const name = (match[2] ?? match[3] ?? match[4]) as string;
    found.push({ name, expand: match[4] !== undefined, chomp: match[1] === '-', offset, length: word.length });
  }
  return found;
}

/** Words as a shell parts them; quotes stay in them. */
function splitShellWords(text: string, from: number, escaper: string): { word: string; offset: number }[] {
  const words: { word: string; offset: number }[] = [];
  let start = -1;
  let quote = '';
  for (let at = from; at <= text.length; at++) {
    const letter = text[at] ?? ' ';
    if (quote !== '' && at < text.length) {
      if (letter === escaper && quote === '"') at++;
      else if (letter === quote) quote = '';
      continue;
    }
    if (text.startsWith('((', at) && text.indexOf('))', at) > 0) at = text.indexOf('))', at) + 1; // arithmetic: << shifts there
    const isBlank = /[\s;|&>]/.test(letter);
    if (isBlank) {
      if (start >= 0) words.push({ word: text.slice(start, at), offset: start });
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (letter === '"' || letter === "'") quote = letter;
    else if (letter === escaper) at++;
  }
  return words;
}

function readHeredoc(source: DockerfileSource, line: LogicalLine, word: HeredocWord, from: number): { body: string; next: number } {
  const body: string[] = [];
  for (let at = from; at < source.lines.length; at++) {
    const text = word.chomp ? (source.lines[at] as string).replace(/^\t+/, '') : (source.lines[at] as string);
    if (text === word.name) return { body: body.map((each) => `${each}\n`).join(''), next: at + 1 };
    body.push(text);
  }
  throw new DockerfileError(source, locate(line, word.offset, word.length), `heredoc "${word.name}" has no end, expected a line "${word.name}" that ends it`);
}
