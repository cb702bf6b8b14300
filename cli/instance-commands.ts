/** The verbs on instances in the table of verbs: names and options are those of docker's command line. Rule: as commands.ts, nothing is loaded before it is used. */
import type { CommandSpec } from './commands.ts';
import type { OptionSpec } from './options.ts';

const MANY = Number.POSITIVE_INFINITY;
const TIME: OptionSpec = { name: 'time', short: 't', value: 'seconds', summary: 'Seconds until the machine is killed; -1: never (default: as the container has it, else 10)' };
const SIGNAL: OptionSpec = { name: 'signal', short: 's', value: 'string', summary: 'Signal to send (default: as the container has it, else SIGTERM)' };

const onNames = (name: string, summary: string, options: readonly OptionSpec[] = []): CommandSpec => ({
  name,
  usage: `hull ${name} ${options.length > 0 ? '[OPTIONS] ' : ''}CONTAINER [CONTAINER...]`,
  summary,
  options,
  stopAtArgument: false,
  leastArguments: 1,
  mostArguments: MANY,
  load: async () => {
    const { nameCommand } = await import('./name-verbs.ts');
    return (parsed, context) => nameCommand(name, parsed, context);
  },
});

export function makeInstanceCommands(runOptions: readonly OptionSpec[]): CommandSpec[] {
  return [
    {
      name: 'create',
      usage: 'hull create [OPTIONS] PROGRAM [ARG...]',
      summary: 'Create an instance of a program without starting it',
      options: runOptions.filter(({ name }) => name !== 'detach' && name !== 'detach-keys' && name !== 'verbose' && name !== 'gdb' && name !== 'trace'),
      stopAtArgument: true,
      leastArguments: 1,
      mostArguments: MANY,
      arguments: 'file',
      load: async () => (await import('./create.ts')).createCommand,
    },
    onNames('start', 'Start instances that do not run', [
      { name: 'attach', short: 'a', summary: 'Show its output, pass signals on, and end with its exit code' },
      { name: 'interactive', short: 'i', summary: 'Attach STDIN, too' },
      { name: 'detach-keys', value: 'keys', summary: 'Keys that leave an attached instance (default ctrl-p,ctrl-q)' },
    ]),
    {
      name: 'attach',
      usage: 'hull attach [OPTIONS] CONTAINER',
      summary: 'Connect this terminal or pipe to a running instance',
      options: [
        { name: 'detach-keys', value: 'keys', summary: 'Keys that leave it running (default ctrl-p,ctrl-q)' },
        { name: 'no-stdin', summary: 'Leave its STDIN alone' },
        { name: 'sig-proxy', summary: 'Pass signals on (default true)' },
      ],
      stopAtArgument: false,
      leastArguments: 1,
      mostArguments: 1,
      load: async () => (await import('./attach.ts')).attachCommand,
    },
    onNames('stop', 'Ask instances to end, and end those that do not in time', [SIGNAL, TIME]),
    onNames('restart', 'Stop and start instances', [SIGNAL, TIME]),
    onNames('kill', 'Send a signal to instances', [{ ...SIGNAL, summary: 'Signal to send (default SIGKILL)' }]),
    onNames('pause', 'Hold instances still'),
    onNames('unpause', 'Let paused instances go on'),
    onNames('wait', 'Wait until instances have ended, and print their exit codes'),
    onNames('rm', 'Remove instances', [
      { name: 'force', short: 'f', summary: 'End those that run; one that is not there is no error' },
      { name: 'volumes', short: 'v', summary: 'Remove their anonymous volumes, too' },
    ]),
    {
      name: 'ps',
      usage: 'hull ps [OPTIONS]',
      summary: 'List instances',
      options: [
        { name: 'all', short: 'a', summary: 'Also those that do not run' },
        { name: 'filter', short: 'f', value: 'filter', many: true, summary: 'Only those that meet it: id, name, label, status, exited, ancestor, before, since, volume, publish, expose' },
        { name: 'format', value: 'string', summary: "'table', 'table TEMPLATE', 'json', or a Go template" },
        { name: 'last', short: 'n', value: 'number', summary: 'The n created last' },
        { name: 'latest', short: 'l', summary: 'The one created last' },
        { name: 'no-trunc', summary: 'Cut nothing' },
        { name: 'quiet', short: 'q', summary: 'Only ids' },
        { name: 'size', short: 's', summary: 'Sizes of what they keep' },
      ],
      stopAtArgument: false,
      leastArguments: 0,
      mostArguments: 0,
      load: async () => (await import('./ps.ts')).psCommand,
    },
    {
      name: 'logs',
      usage: 'hull logs [OPTIONS] CONTAINER',
      summary: 'Show what an instance wrote',
      options: [
        { name: 'follow', short: 'f', summary: 'Go on as long as it runs' },
        { name: 'since', value: 'string', summary: 'From this time on: 2026-01-02T13:23:37Z, seconds since 1970, or 42m for so long ago' },
        { name: 'until', value: 'string', summary: 'Up to this time' },
        { name: 'tail', short: 'n', value: 'number', summary: 'The last lines only (default all)' },
        { name: 'timestamps', short: 't', summary: 'The time before each line' },
        { name: 'details', summary: 'Accepted; there are none' },
      ],
      stopAtArgument: false,
      leastArguments: 1,
      mostArguments: 1,
      load: async () => (await import('./logs.ts')).logsCommand,
    },
  ];
}
