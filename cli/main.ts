/**
 * The command line's entry, called by start.ts: finds the verb, parses its options, runs it, exits with its code. Owns: the order of that, and the one place where
 * an error becomes a line on stderr and an exit code. Rule: what is imported here is read at each start of hull; the rest is lazy.
 */
import { dirname } from 'node:path';
import { describeError, EXIT, exitCodeOf, keepCompiled } from '../engine/index.ts';
import { COMMANDS, type CommandContext, type CommandSpec } from './commands.ts';
import { UsageError } from './errors.ts';
import { type OptionSpec, parseOptions } from './options.ts';

const HELP_OPTIONS = new Set(['--help', '-h']);
const VERSION_OPTIONS = new Set(['--version', '-v']);

function findCommand(name: string): CommandSpec | undefined {
  return COMMANDS.find((command) => command.name === name);
}

const optionsOf = (command: CommandSpec, argv: readonly string[]): readonly OptionSpec[] => command.optionsBelow?.[argv[0] ?? ''] ?? command.options;

/** --help counts only before the arguments that go to a program; -h is run's host name. */
function wantsHelp(command: CommandSpec, argv: readonly string[]): boolean {
  if (command.isRaw === true) return argv.length === 0 || (argv.length === 1 && argv[0] === '--help');
  const options = [...optionsOf(command, argv), { name: 'help', summary: '' }];
  if (!argv.some((text) => text === '--help' || text === '-h')) return false;
  if (argv[0] === '-h' && argv.length === 1) return true;
  try {
    return parseOptions(argv, options, { command: `hull ${command.name}`, stopAtArgument: command.stopAtArgument }).switches.get('help') === true;
  } catch {
    return false;
  }
}

async function runCommandLine(argv: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || HELP_OPTIONS.has(name)) {
    const { writeHelp } = await import('./help.ts');
    return writeHelp(undefined, COMMANDS);
  }
  const command = VERSION_OPTIONS.has(name) ? findCommand('version') : findCommand(name);
  if (command === undefined) throw new UsageError(`unknown command: hull ${name}`, 'hull');
  if (wantsHelp(command, rest)) {
    const { writeHelp } = await import('./help.ts');
    return writeHelp(command.name, COMMANDS);
  }
  const typed = `hull ${command.name}`;
  const parsed =
    command.isRaw === true
      ? { values: new Map(), switches: new Map(), args: rest }
      : parseOptions(rest, optionsOf(command, rest), { command: typed, stopAtArgument: command.stopAtArgument });
  if (parsed.args.length < command.leastArguments) {
    throw new UsageError(`"${typed}" requires at least ${command.leastArguments} argument${command.leastArguments === 1 ? '' : 's'}`, typed);
  }
  if (parsed.args.length > command.mostArguments) {
    const most = command.mostArguments;
    throw new UsageError(`"${typed}" accepts ${most === 0 ? 'no arguments' : `at most ${most} argument${most === 1 ? '' : 's'}`}`, typed);
  }
  return (await command.load())(parsed, context);
}

function reportError(error: unknown): number {
  process.stderr.write(`hull: ${describeError(error)}\n`);
  // By name: a lazily loaded verb has a copy of the class.
  if (error instanceof Error && error.name === 'UsageError') {
    process.stderr.write(`See '${(error as UsageError).command} --help'.\n`);
    return EXIT.ENGINE;
  }
  return exitCodeOf(error);
}

/** What V8 made of this bundle, by the time that it is asked for. */
export interface CompiledCode {
  readonly path: string;
  make(): Uint8Array;
}

export type StartCommandLine = (code: CompiledCode | undefined) => void;

/** `code`: undefined when the bundle came with it. */
export const startCommandLine: StartCommandLine = (code) => {
  const keepCode = () => {
    if (code !== undefined) keepCompiled(code.path, code.make());
  };
  const context: CommandContext = { env: process.env, dist: dirname(__dirname), commands: COMMANDS, keepCode };
  runCommandLine(process.argv.slice(2), context)
    .catch(reportError)
    .then((status) => process.exit(status));
};
