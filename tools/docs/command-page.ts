// docs/cli.md: the verbs and their options, from the table that parsing, help and completion use.
import { COMMANDS, type CommandSpec } from '../../cli/commands.ts';
import { makePage, makeTable, type Page } from './page.ts';

type Option = CommandSpec['options'][number];

function describeOption(option: Option): string[] {
  const names = [...(option.short === undefined ? [] : [`-${option.short}`]), `--${option.name}`].map((name) => `\`${name}\``);
  const value = option.value !== undefined ? ` \`${option.value}\`` : option.optional !== undefined ? `\`[=${option.optional}]\`` : '';
  const choices = option.choices === undefined ? '' : `: ${option.choices.map((choice) => `\`${choice}\``).join(', ')}`;
  return [`${names.join(', ')}${value}`.replace('``', ''), `${option.summary}${choices}${option.many === true ? '. May be given several times' : ''}`];
}

function describeCommand(command: CommandSpec): string {
  return [
    `## hull ${command.name}`,
    `${command.summary}.`,
    `\`\`\`\n${command.usage}\n\`\`\``,
    ...(command.options.length === 0 ? [] : [makeTable(['option', 'what it does'], command.options.map(describeOption))]),
    ...(command.notes ?? []).map((note) => note.replace(/[^.:]$/, '$&.')),
  ].join('\n\n');
}

export function makeCommandPage(): Page {
  const index = COMMANDS.map((command) => [`[hull ${command.name}](#hull-${command.name})`, command.summary]);
  return makePage('docs/cli.md', 'Command line', '`cli/commands.ts`', [
    makeTable(['command', 'what it does'], index),
    'Each command has `--help`. Exit statuses: [errors.md](errors.md).',
    ...COMMANDS.map(describeCommand),
  ]);
}
