/**
 * One logical line -> an instruction. Owns: keyword, flags, arguments as written, and where each is. Rules ("Dockerfile reference", section
 * Format): keywords in any case; flags come first, `--name` or `--name=value`, as far as words begin with two dashes; arguments that are a JSON
 * array of strings are that, in the instructions that have such a form, and text otherwise. Nothing is expanded here.
 */
import { findInstruction, KEYWORDS } from './grammar.ts';
import { type Directives, type Heredoc, type LogicalLine, locate } from './lines.ts';
import { DockerfileError, type DockerfileSource, expectOneOf, type Place } from './source.ts';

export interface Word {
  readonly text: string;
  /** In the logical line. */
  readonly offset: number;
}

export interface Flag {
  readonly name: string;
  /** Without its quotes, not expanded; "true" for a switch without one. */
  readonly value: string;
  readonly offset: number;
  readonly valueOffset: number;
  readonly length: number;
}

export interface Instruction {
  readonly keyword: string;
  readonly flags: readonly Flag[];
  /** All behind the flags, as written but for continuation lines. */
  readonly rest: Word;
  readonly json?: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly line: LogicalLine;
  readonly source: DockerfileSource;
  readonly escape: Directives['escape'];
}

const BLANK = /[\s]/;

/** An error at a part of an instruction; without one, at its keyword. */
export function makeInstructionError(instruction: Instruction, message: string, part?: { offset: number; length?: number; text?: string }): DockerfileError {
  const place = part === undefined ? findKeyword(instruction) : locate(instruction.line, part.offset, part.length ?? part.text?.length ?? 1);
  return new DockerfileError(instruction.source, place, message);
}

function findKeyword(instruction: Instruction): Place {
  const found = instruction.line.text.search(new RegExp(`\\b${instruction.keyword}\\b`, 'i'));
  return locate(instruction.line, Math.max(0, found), instruction.keyword.length);
}

/** from: where in the line the instruction begins (behind ONBUILD). */
export function parseInstruction(source: DockerfileSource, line: LogicalLine, escaper: Directives['escape'], from = 0): Instruction {
  const { text } = line;
  const start = from + (text.slice(from).match(/^\s*/) as RegExpMatchArray)[0].length;
  const word = (text.slice(start).match(/^\S*/) as RegExpMatchArray)[0];
  const keyword = word.toUpperCase();
  const spec = findInstruction(keyword);
  if (spec === undefined) {
    throw new DockerfileError(source, locate(line, start, word.length), `unknown instruction "${word}", ${expectOneOf(keyword, KEYWORDS)}`);
  }
  const { flags, end } = readFlags(text, start + word.length, escaper);
  const names = spec.flags.map(({ name }) => name);
  for (const flag of flags) {
    const known = spec.flags.find(({ name }) => name === flag.name);
    const fail = (message: string) => new DockerfileError(source, locate(line, flag.offset, flag.length), message);
    if (known === undefined) {
      throw fail(`unknown flag "--${flag.name}" of ${keyword}, ${names.length === 0 ? 'expected none' : expectOneOf(flag.name, names).replace(/(one of |, |expected )(?=[a-z])(?!one of)/g, '$1--')}`);
    }
    if (known.value !== undefined && flag.value === 'true' && flag.valueOffset < 0) throw fail(`flag "--${flag.name}" has no value, expected --${flag.name}=${known.value}`);
    if (known.value === undefined && !/^(true|false|1|0)$/i.test(flag.value) && !flag.value.includes('$')) throw fail(`flag "--${flag.name}=${flag.value}", expected true or false`);
    if (known.many !== true && flags.filter(({ name }) => name === flag.name).length > 1) throw fail(`flag "--${flag.name}" twice, expected it once`);
  }
  const restAt = end + (text.slice(end).match(/^\s*/) as RegExpMatchArray)[0].length;
  const rest = { text: text.slice(restAt).trim(), offset: restAt };
  const json = spec.json === true ? parseJsonArguments(rest.text) : undefined;
  const instruction: Instruction = { keyword, flags, rest, ...(json === undefined ? {} : { json }), heredocs: line.heredocs, line, source, escape: escaper };
  if (rest.text === '' && spec.leastArguments > 0) throw makeInstructionError(instruction, `${keyword} has no arguments, expected ${spec.form}`);
  return instruction;
}

function parseJsonArguments(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

function readFlags(text: string, from: number, escaper: string): { flags: Flag[]; end: number } {
  const flags: Flag[] = [];
  let at = from;
  for (;;) {
    while (BLANK.test(text[at] ?? '')) at++;
    if (!text.startsWith('--', at)) return { flags, end: at };
    const { word, end } = readQuotedWord(text, at, escaper, true);
    if (word === '--') return { flags, end };
    const equals = word.indexOf('=');
    flags.push({
      name: word.slice(2, equals < 0 ? undefined : equals),
      value: equals < 0 ? 'true' : word.slice(equals + 1),
      offset: at,
      valueOffset: equals < 0 ? -1 : at + equals + 1,
      length: end - at,
    });
    at = end;
  }
}

/** Up to a blank that is not within quotes. */
function readQuotedWord(text: string, from: number, escaper: string, dropQuotes: boolean): { word: string; end: number } {
  let word = '';
  let quote = '';
  let at = from;
  for (; at < text.length; at++) {
    const letter = text[at] as string;
    if (quote === '' && BLANK.test(letter)) break;
    if (letter === escaper && quote !== "'" && at + 1 < text.length) {
      word += dropQuotes ? (text[++at] as string) : letter + (text[++at] as string);
      continue;
    }
    const isQuote = quote === '' ? letter === '"' || letter === "'" : letter === quote;
    if (isQuote) quote = quote === '' ? letter : '';
    if (!isQuote || !dropQuotes) word += letter;
  }
  return { word, end: at };
}

/** Arguments parted by blanks alone, quotes or not. */
export function splitArguments({ text, offset }: Word): Word[] {
  return [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], offset: offset + match.index }));
}

/** Arguments parted by blanks outside of quotes, as ENV, LABEL and ARG have them; quotes stay for the expansion. */
export function splitQuoted({ text, offset }: Word, escaper: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < text.length; ) {
    if (BLANK.test(text[at] as string)) {
      at++;
      continue;
    }
    const { word, end } = readQuotedWord(text, at, escaper, false);
    words.push({ text: word, offset: offset + at });
    at = end;
  }
  return words;
}

export interface Pair {
  readonly name: Word;
  readonly value: Word | undefined;
}

/** NAME=VALUE... of ENV, LABEL and ARG; ENV and LABEL also have the old form NAME VALUE. */
export function splitPairs(instruction: Instruction): Pair[] {
  const words = splitQuoted(instruction.rest, instruction.escape);
  const first = words[0] as Word;
  const isArgument = instruction.keyword === 'ARG';
  if (!isArgument && !first.text.includes('=')) {
    const value = instruction.rest.text.slice(first.text.length).trimStart();
    if (value === '') throw makeInstructionError(instruction, `${instruction.keyword} "${first.text}" has no value, expected NAME=VALUE`, first);
    return [{ name: first, value: { text: value, offset: instruction.rest.offset + instruction.rest.text.length - value.length } }];
  }
  return words.map((word) => {
    const equals = word.text.indexOf('=');
    if (equals === 0) throw makeInstructionError(instruction, `${instruction.keyword} has a value without a name, expected NAME=VALUE`, word);
    if (equals < 0 && !isArgument) throw makeInstructionError(instruction, `${instruction.keyword} "${word.text}" has no "=", expected NAME=VALUE`, word);
    if (equals < 0) return { name: word, value: undefined };
    return { name: { text: word.text.slice(0, equals), offset: word.offset }, value: { text: word.text.slice(equals + 1), offset: word.offset + equals + 1 } };
  });
}

export function readFlag(instruction: Instruction, name: string): Flag | undefined {
  return instruction.flags.find((flag) => flag.name === name);
}

export function listFlags(instruction: Instruction, name: string): Flag[] {
  return instruction.flags.filter((flag) => flag.name === name);
}
