/**
 * Options as Docker's command line has them (spf13/pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`, `-it`, `--flag=false`,
 * `--`. Owns: the declarative form of an option and the parser. Rules: options end at the first argument of a verb that passes the rest on
 * to a program; an unknown option is an error in pflag's words. One table gives parsing, help and completion.
 */
import { UsageError } from './errors.ts';

export interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** Name of the value in help; without one the option is a switch. */
  readonly value?: string;
  /** Name of a value that may be left out: `--name` or `--name=value`; without one the value is empty. */
  readonly optional?: string;
  /** May be given several times. */
  readonly many?: boolean;
  readonly summary: string;
  /** Known values, for completion and help. */
  readonly choices?: readonly string[];
  readonly complete?: 'file' | 'directory';
}

export interface ParsedOptions {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlyMap<string, boolean>;
  readonly args: readonly string[];
}

export interface ParseRules {
  /** The command as typed, for messages: `hull run`. */
  readonly command: string;
  /** Options end at the first argument. */
  readonly stopAtArgument: boolean;
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

export function parseOptions(argv: readonly string[], specs: readonly OptionSpec[], rules: ParseRules): ParsedOptions {
  const values = new Map<string, string[]>();
  const switches = new Map<string, boolean>();
  const args: string[] = [];
  const fail = (message: string) => new UsageError(message, rules.command);

  const setValue = (spec: OptionSpec, value: string) => {
    if (spec.choices !== undefined && !spec.choices.includes(value)) {
      throw fail(`invalid argument "${value}" for "--${spec.name}": expected ${spec.choices.join(', ')}`);
    }
    if (spec.many === true) values.set(spec.name, [...(values.get(spec.name) ?? []), value]);
    else values.set(spec.name, [value]);
  };

  let at = 0;
  const takeNext = (shown: string): string => {
    const value = argv[++at];
    if (value === undefined) throw fail(`flag needs an argument: ${shown}`);
    return value;
  };

  const parseLong = (text: string) => {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text.slice(2) : text.slice(2, equals);
    const spec = specs.find((each) => each.name === name);
    if (spec === undefined) throw fail(`unknown flag: --${name}`);
    if (spec.optional !== undefined) return setValue(spec, equals < 0 ? '' : text.slice(equals + 1));
    if (spec.value !== undefined) return setValue(spec, equals < 0 ? takeNext(`--${name}`) : text.slice(equals + 1));
    const value = equals < 0 ? 'true' : text.slice(equals + 1);
    if (!TRUE.has(value) && !FALSE.has(value)) throw fail(`invalid argument "${value}" for "--${name}" flag: expected true or false`);
    switches.set(name, TRUE.has(value));
  };

  const parseShort = (text: string) => {
    for (let i = 1; i < text.length; i++) {
      const letter = text[i] as string;
      const spec = specs.find((each) => each.short === letter);
      if (spec === undefined) throw fail(`unknown shorthand flag: '${letter}' in ${text}`);
      if (spec.value === undefined) {
        switches.set(spec.name, true);
        continue;
      }
      const rest = text.slice(i + 1);
      setValue(spec, rest === '' ? takeNext(`'${letter}' in ${text}`) : rest.replace(/^=/, ''));
      return;
    }
  };

  for (; at < argv.length; at++) {
    const text = argv[at] as string;
    if (text === '--') {
      args.push(...argv.slice(at + 1));
      break;
    }
    if (text.startsWith('--')) parseLong(text);
    else if (text.startsWith('-') && text.length > 1) parseShort(text);
    else if (rules.stopAtArgument) {
      args.push(...argv.slice(at));
      break;
    } else args.push(text);
  }
  return { values, switches, args };
}

/** The last value of an option. */
export function readValue(parsed: ParsedOptions, name: string): string | undefined {
  return parsed.values.get(name)?.at(-1);
}
