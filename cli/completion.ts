/**
 * Completion scripts for bash, zsh and fish, made from the table of commands. Owns: the three dialects. Rule: the scripts are complete in
 * themselves: completing does not start hull.
 */
import type { CommandContext, CommandSpec } from './commands.ts';
import { UsageError } from './errors.ts';
import type { OptionSpec, ParsedOptions } from './options.ts';
import { writeOut } from './write-out.ts';

const HELP: OptionSpec = { name: 'help', summary: 'Show this help' };

function optionsOf(command: CommandSpec): OptionSpec[] {
  return [...command.options, HELP];
}

function wordsOf(option: OptionSpec): string[] {
  return option.short === undefined ? [`--${option.name}`] : [`-${option.short}`, `--${option.name}`];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function makeBash(commands: readonly CommandSpec[]): string {
  const names = commands.map((command) => command.name).join(' ');
  const cases = commands.map((command) => {
    const options = optionsOf(command);
    const valued = options.filter((option) => option.value !== undefined);
    const words = options.flatMap(wordsOf).join(' ');
    const values = valued.map((option) => {
      const reply = option.choices !== undefined ? `compgen -W '${option.choices.join(' ')}' -- "$cur"` : option.complete === 'file' ? 'compgen -f -- "$cur"' : 'true';
      return `        ${wordsOf(option).join('|')}) COMPREPLY=($(${reply})); return ;;`;
    });
    const rest = Array.isArray(command.arguments)
      ? `COMPREPLY=($(compgen -W '${command.arguments.join(' ')}' -- "$cur"))`
      : command.arguments === 'file'
        ? 'COMPREPLY=($(compgen -f -- "$cur"))'
        : command.name === 'help'
          ? `COMPREPLY=($(compgen -W '${names}' -- "$cur"))`
          : 'COMPREPLY=()';
    return `    ${command.name})
      case "$prev" in
${values.join('\n')}
        *) ;;
      esac
      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '${words}' -- "$cur")); else ${rest}; fi ;;`;
  });
  return `# bash completion for hull
_hull() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W '${names} --help --version' -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -o filenames -F _hull hull
`;
}

function makeZsh(commands: readonly CommandSpec[]): string {
  const escapeText = (text: string) => text.replaceAll(/[[\]:]/g, (letter) => `\\${letter}`);
  const names = commands.map((command) => `    ${quote(`${command.name}:${escapeText(command.summary)}`)}`).join('\n');
  const cases = commands.map((command) => {
    const specs = optionsOf(command).flatMap((option) => {
      const value =
        option.value === undefined ? '' : option.choices !== undefined ? `:${option.value}:(${option.choices.join(' ')})` : `:${escapeText(option.value)}:${option.complete === 'file' ? '_files' : ''}`;
      return wordsOf(option).map((word) => `        ${quote(`${option.many === true ? '*' : ''}${word}[${escapeText(option.summary)}]${value}`)} \\`);
    });
    const rest = Array.isArray(command.arguments) ? `'1:argument:(${command.arguments.join(' ')})'` : command.arguments === 'file' ? `'1:program:_files' '*::argument:_files'` : "'*:argument:'";
    return `    ${command.name})\n      _arguments \\\n${specs.join('\n')}\n        ${rest} ;;`;
  });
  return `#compdef hull
_hull() {
  local -a commands=(
${names}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _hull ]; then _hull "$@"; else compdef _hull hull; fi
`;
}

function makeFish(commands: readonly CommandSpec[]): string {
  const lines = ['# fish completion for hull', 'complete -c hull -f'];
  for (const command of commands) {
    lines.push(`complete -c hull -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`);
    const inside = `-n '__fish_seen_subcommand_from ${command.name}'`;
    for (const option of optionsOf(command)) {
      const short = option.short === undefined ? '' : ` -s ${option.short}`;
      const value = option.value === undefined ? '' : option.choices !== undefined ? ` -x -a '${option.choices.join(' ')}'` : option.complete === 'file' ? ' -r -F' : ' -x';
      lines.push(`complete -c hull ${inside} -l ${option.name}${short}${value} -d ${quote(option.summary)}`);
    }
    if (Array.isArray(command.arguments)) lines.push(`complete -c hull ${inside} -a '${command.arguments.join(' ')}'`);
    else if (command.arguments === 'file') lines.push(`complete -c hull ${inside} -F`);
  }
  return `${lines.join('\n')}\n`;
}

export async function completionCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const makers: Record<string, (commands: readonly CommandSpec[]) => string> = { bash: makeBash, zsh: makeZsh, fish: makeFish };
  const shell = parsed.args[0] as string;
  const make = makers[shell];
  if (make === undefined) throw new UsageError(`invalid argument "${shell}" for hull completion: expected bash, zsh or fish`, 'hull completion');
  await writeOut(make(context.commands));
  return 0;
}
