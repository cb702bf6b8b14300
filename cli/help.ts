/** `--help` on every level, made from the table of commands. Owns: the layout. */
import type { CommandContext, CommandSpec } from './commands.ts';
import { UsageError } from './errors.ts';
import type { OptionSpec, ParsedOptions } from './options.ts';
import { writeOut } from './write-out.ts';

function formatColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}\n`).join('');
}

function formatOption(option: OptionSpec): [string, string] {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  const choices = option.choices === undefined ? '' : `: ${option.choices.join(', ')}`;
  return [`${short}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}${option.optional === undefined ? '' : `[=${option.optional}]`}`, option.summary + choices];
}

function formatCommandHelp(command: CommandSpec): string {
  const options = [...command.options, { name: 'help', summary: 'Show this help' }];
  const notes = command.notes === undefined ? '' : `\n${command.notes.join('\n')}\n`;
  return `Usage:  ${command.usage}\n\n${command.summary}\n\nOptions:\n${formatColumns(options.map(formatOption))}${notes}`;
}

function formatMainHelp(commands: readonly CommandSpec[]): string {
  const rows = commands.map((command): [string, string] => [command.name, command.summary]);
  return `Usage:  hull COMMAND

A container engine whose containers are unikernels

Commands:
${formatColumns(rows)}
Options:
${formatColumns([
  ['--help', 'Show this help'],
  ['-v, --version', 'Show the version of hull'],
])}
Environment:
${formatColumns([
  ['HULL_ROOT', 'Where hull keeps its state and caches (default: as the XDG rules have it)'],
  ['HULL_QEMU', 'QEMU to use (default: qemu-system-x86_64 in PATH)'],
])}
Run 'hull COMMAND --help' for more about a command.
`;
}

/** Writes the help of `name`, or of hull itself. */
export async function writeHelp(name: string | undefined, commands: readonly CommandSpec[]): Promise<number> {
  if (name === undefined) {
    await writeOut(formatMainHelp(commands));
    return 0;
  }
  const command = commands.find((each) => each.name === name);
  if (command === undefined) throw new UsageError(`unknown command: hull ${name}`, 'hull');
  await writeOut(formatCommandHelp(command));
  return 0;
}

export function helpCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  return writeHelp(parsed.args[0], context.commands);
}
