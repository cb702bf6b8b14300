/**
 * The common subset of Go's templates (text/template, its documentation) that docker's --format takes. Owns: parsing and evaluation over plain values. Rules: fields of maps by `.Name`; `if`,
 * `range`, `with`, `else`, `end`, variables of range, pipelines, parentheses, and docker's functions; what a template names and is not there is an error that says so.
 */
import { UsageError } from './errors.ts';

type Value = unknown;
type Scope = { readonly dot: Value; readonly variables: ReadonlyMap<string, Value> };
type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly pipe: Pipe }
  | { readonly kind: 'if' | 'with' | 'range'; readonly names: readonly string[]; readonly pipe: Pipe; readonly then: readonly Node[]; readonly otherwise: readonly Node[] };
type Pipe = readonly (readonly Term[])[];
type Term = { readonly kind: 'path'; readonly base: string; readonly fields: readonly string[] } | { readonly kind: 'literal'; readonly value: Value } | { readonly kind: 'function'; readonly name: string } | { readonly kind: 'pipe'; readonly pipe: Pipe; readonly fields: readonly string[] };

export interface Template {
  apply(data: Value): string;
}

const isTrue = (value: Value) => !(value === undefined || value === null || value === false || value === 0 || value === '' || (Array.isArray(value) && value.length === 0) || (typeof value === 'object' && !Array.isArray(value) && Object.keys(value as object).length === 0));

/** As fmt's %v. */
function show(value: Value): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object') {
    if (value instanceof Date) return value.toISOString();
    return `map[${Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => `${key}:${show(each)}`).join(' ')}]`;
  }
  return String(value);
}

/** encoding/json escapes what HTML would read. */
function toJson(value: Value): string {
  return (JSON.stringify(value) ?? 'null').replaceAll('&', '\\u0026').replaceAll('<', '\\u003c').replaceAll('>', '\\u003e');
}

function format(pattern: string, args: readonly Value[]): string {
  let at = 0;
  return pattern.replace(/%([-+#0 ]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g, (_, flags: string, width: string, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    const value = args[at++];
    let text: string;
    if (verb === 'q') text = JSON.stringify(show(value));
    else if (verb === 'd') text = String(Math.trunc(Number(value)));
    else if (verb === 'f') text = Number(value).toFixed(precision === undefined ? 6 : Number(precision));
    else if (verb === 'x') text = typeof value === 'number' ? value.toString(16) : Buffer.from(show(value)).toString('hex');
    else text = precision === undefined ? show(value) : show(value).slice(0, Number(precision));
    const size = Number(width || 0);
    return flags.includes('-') ? text.padEnd(size) : text.padStart(size, flags.includes('0') ? '0' : ' ');
  });
}

function compare(a: Value, b: Value): number {
  if (typeof a === 'number' || typeof b === 'number') return Number(a) - Number(b);
  return show(a) < show(b) ? -1 : show(a) > show(b) ? 1 : 0;
}

const FUNCTIONS: Record<string, (...args: Value[]) => Value> = {
  json: toJson,
  upper: (text) => show(text).toUpperCase(),
  lower: (text) => show(text).toLowerCase(),
  title: (text) => show(text).replace(/(^|\s)\S/g, (letter) => letter.toUpperCase()),
  join: (list, separator) => (Array.isArray(list) ? list : []).map(show).join(show(separator)),
  split: (text, separator) => show(text).split(show(separator)),
  pad: (text, before, after) => `${' '.repeat(Number(before))}${show(text)}${' '.repeat(Number(after))}`,
  truncate: (text, size) => show(text).slice(0, Number(size)),
  println: (...args) => `${args.map(show).join(' ')}\n`,
  print: (...args) => args.map(show).join(''),
  printf: (pattern, ...args) => format(show(pattern), args),
  len: (value) => (typeof value === 'string' ? Buffer.byteLength(value) : Array.isArray(value) ? value.length : Object.keys((value ?? {}) as object).length),
  index: (value, ...keys) => keys.reduce<Value>((at, key) => (Array.isArray(at) ? at[Number(key)] : (at as Record<string, Value> | undefined)?.[String(key)]), value) ?? '',
  slice: (value, from, to) => (value as string).slice(Number(from), to === undefined ? undefined : Number(to)),
  not: (value) => !isTrue(value),
  and: (...args) => args.find((value) => !isTrue(value)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  eq: (a, ...rest) => rest.some((b) => compare(a, b) === 0),
  ne: (a, b) => compare(a, b) !== 0,
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  html: (text) => show(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
};

const TOKEN = /\s*(?:(:=|[|(),=])|"((?:[^"\\]|\\.)*)"|`([^`]*)`|'((?:[^'\\]|\\.))'|(-?\d+(?:\.\d+)?)|(\$\w*(?:\.\w+)*)|((?:\.\w+)+|\.)|([a-zA-Z_]\w*))/y;

interface Token {
  readonly kind: 'sign' | 'string' | 'number' | 'variable' | 'field' | 'name';
  readonly text: string;
}

function readTokens(text: string, fail: (message: string) => never): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (match === null) return fail(`unexpected "${text.trim()}" in command`);
    const [, sign, quoted, raw, letter, number, variable, field, name] = match;
    if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
    else if (quoted !== undefined) tokens.push({ kind: 'string', text: quoted.replace(/\\(.)/g, (_, each: string) => ({ n: '\n', t: '\t', r: '\r' })[each] ?? each) });
    else if (raw !== undefined) tokens.push({ kind: 'string', text: raw });
    else if (letter !== undefined) tokens.push({ kind: 'number', text: String(letter.charCodeAt(0)) });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (variable !== undefined) tokens.push({ kind: 'variable', text: variable });
    else if (field !== undefined) tokens.push({ kind: 'field', text: field });
    else tokens.push({ kind: 'name', text: name as string });
  }
  return tokens;
}

const splitFields = (text: string) => text.split('.').filter((part) => part !== '');

export function parseTemplate(source: string, command: string): Template {
  const fail = (message: string): never => {
    throw new UsageError(`template parsing error: template: :1: ${message}`, command);
  };
  // {{- and -}} take the space around them.
  const parts = source.split(/(\{\{-?[\s\S]*?-?\}\})/);
  let at = 0;

  const parsePipe = (tokens: Token[]): Pipe => {
    const commands: Term[][] = [[]];
    while (tokens.length > 0) {
      const token = tokens.shift() as Token;
      const last = commands.at(-1) as Term[];
      if (token.kind === 'sign') {
        if (token.text === ')') return commands;
        if (token.text === '|') commands.push([]);
        else if (token.text === '(') {
          const pipe = parsePipe(tokens);
          const next = tokens[0];
          const fields = next?.kind === 'field' && next.text !== '.' ? splitFields((tokens.shift() as Token).text) : [];
          last.push({ kind: 'pipe', pipe, fields });
        } else fail(`unexpected "${token.text}" in command`);
      } else if (token.kind === 'string') last.push({ kind: 'literal', value: token.text });
      else if (token.kind === 'number') last.push({ kind: 'literal', value: Number(token.text) });
      else if (token.kind === 'field') last.push({ kind: 'path', base: '.', fields: splitFields(token.text) });
      else if (token.kind === 'variable') {
        const [base, ...fields] = token.text.split('.') as [string, ...string[]];
        last.push({ kind: 'path', base, fields });
      } else if (token.text === 'true' || token.text === 'false') last.push({ kind: 'literal', value: token.text === 'true' });
      else if (token.text === 'nil') last.push({ kind: 'literal', value: undefined });
      else {
        if (FUNCTIONS[token.text] === undefined) fail(`function "${token.text}" not defined`);
        last.push({ kind: 'function', name: token.text });
      }
    }
    if (commands.some((each) => each.length === 0)) fail('missing value for command');
    return commands;
  };

  const parseNodes = (isNested: boolean): { nodes: Node[]; end: string } => {
    const nodes: Node[] = [];
    while (at < parts.length) {
      const part = parts[at++] as string;
      if (at % 2 === 1) {
        let text = part;
        if (parts[at - 2]?.endsWith('-}}')) text = text.trimStart();
        if (parts[at]?.startsWith('{{-')) text = text.trimEnd();
        if (text.includes('{{')) fail('unclosed action');
        if (text !== '') nodes.push({ kind: 'text', text });
        continue;
      }
      const inner = part.replace(/^\{\{-?/, '').replace(/-?\}\}$/, '').trim();
      if (inner.startsWith('/*')) continue;
      const tokens = readTokens(inner, fail);
      const first = tokens[0];
      const keyword = first?.kind === 'name' ? first.text : '';
      if (keyword === 'end' || keyword === 'else') {
        if (!isNested) fail(`unexpected {{${keyword}}}`);
        return { nodes, end: inner };
      }
      if (keyword === 'if' || keyword === 'range' || keyword === 'with') {
        nodes.push(parseBlock(keyword, tokens.slice(1)));
        continue;
      }
      if (tokens.length === 0) fail('missing value for command');
      nodes.push({ kind: 'value', pipe: parsePipe(tokens) });
    }
    if (isNested) fail('unexpected EOF');
    return { nodes, end: '' };
  };

  const parseBlock = (kind: 'if' | 'range' | 'with', tokens: Token[]): Node => {
    const assign = tokens.findIndex(({ text, kind: each }) => each === 'sign' && text === ':=');
    const names = assign < 0 ? [] : tokens.slice(0, assign).filter((token) => token.kind === 'variable').map(({ text }) => text);
    const pipe = parsePipe(tokens.slice(assign + 1));
    const { nodes: then, end } = parseNodes(true);
    if (end === 'end') return { kind, names, pipe, then, otherwise: [] };
    const chained = readTokens(end, fail).slice(1);
    if (chained[0]?.text === 'if') return { kind, names, pipe, then, otherwise: [parseBlock('if', chained.slice(1))] };
    return { kind, names, pipe, then, otherwise: parseNodes(true).nodes };
  };

  const take = (value: Value, fields: readonly string[]): Value => {
    let now = value;
    for (const field of fields) {
      if (now === null || now === undefined || typeof now !== 'object') fail(`executing "" at <.${fields.join('.')}>: can't evaluate field ${field}`);
      const map = now as Record<string, Value>;
      if (!(field in map) && !Array.isArray(now)) {
        if (Object.keys(map).every((key) => /^[A-Z]/.test(key)) && Object.keys(map).length > 0) fail(`executing "" at <.${fields.join('.')}>: map has no entry for key "${field}"`);
      }
      now = map[field];
    }
    return now;
  };

  const evaluateTerm = (term: Term, scope: Scope): Value => {
    if (term.kind === 'literal') return term.value;
    if (term.kind === 'pipe') return take(evaluate(term.pipe, scope), term.fields);
    if (term.kind === 'function') return FUNCTIONS[term.name]?.();
    if (term.base === '.') return take(scope.dot, term.fields);
    if (!scope.variables.has(term.base)) fail(`undefined variable "${term.base}"`);
    return take(scope.variables.get(term.base), term.fields);
  };

  const evaluate = (pipe: Pipe, scope: Scope): Value => {
    let result: Value;
    for (const [i, terms] of pipe.entries()) {
      const [first, ...rest] = terms as [Term, ...Term[]];
      const extra = i === 0 ? [] : [result];
      if (first.kind === 'function') result = FUNCTIONS[first.name]?.(...rest.map((term) => evaluateTerm(term, scope)), ...extra);
      else {
        result = evaluateTerm(first, scope);
        // A method of the data: {{.Label "x"}}
        if (typeof result === 'function') result = (result as (...args: Value[]) => Value)(...rest.map((term) => evaluateTerm(term, scope)), ...extra);
      }
    }
    return result;
  };

  const write = (nodes: readonly Node[], scope: Scope): string => nodes.map((node) => writeNode(node, scope)).join('');
  const writeNode = (node: Node, scope: Scope): string => {
    if (node.kind === 'text') return node.text;
    const value = evaluate(node.pipe, scope);
    if (node.kind === 'value') return show(value);
    if (node.kind === 'if') return write(isTrue(value) ? node.then : node.otherwise, scope);
    const bind = (dot: Value, ...values: Value[]): Scope => ({ dot, variables: new Map([...scope.variables, ...node.names.map((name, i): [string, Value] => [name, values[i]])]) });
    if (node.kind === 'with') return isTrue(value) ? write(node.then, bind(value, value)) : write(node.otherwise, scope);
    const entries: [Value, Value][] = Array.isArray(value) ? [...value.entries()] : Object.entries((value ?? {}) as object).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length === 0) return write(node.otherwise, scope);
    return entries.map(([key, each]) => write(node.then, node.names.length > 1 ? bind(each, key, each) : bind(each, each))).join('');
  };

  const { nodes } = parseNodes(false);
  return { apply: (data) => write(nodes, { dot: data, variables: new Map([['$', data]]) }) };
}
