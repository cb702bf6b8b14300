/** `hull supervise`: keeps one instance going in the foreground, as a service manager wants it; `hull generate systemd`: the unit that does so. */
import { realpathSync } from 'node:fs';
import { EngineError, findStatePaths } from '../engine/index.ts';
import { findInstance, isRunning, isToRestart, startInstance, stopInstance, superviseInstances } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { writeOut } from './write-out.ts';

const LOOK_MS = 200;

export async function superviseCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const { id } = await findInstance(paths, parsed.args[0] as string);
  const say = (line: string) => void process.stderr.write(`hull: ${line}\n`);
  let isAsked = false;
  const ask = () => {
    isAsked = true;
  };
  process.on('SIGTERM', ask);
  process.on('SIGINT', ask);
  await startInstance(id, context, { notice: say });
  const leave = superviseInstances(context, { only: id, say });
  try {
    for (;;) {
      const instance = await findInstance(paths, id);
      if (isAsked) {
        await stopInstance(id, context.env);
        return 0;
      }
      if (!isRunning(instance.state) && instance.state.starter === undefined && !isToRestart(instance)) return instance.state.stopped !== undefined ? 0 : instance.state.exitCode;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } finally {
    leave();
  }
}

/** systemd.unit(5): "%" begins a specifier, a quoted word is C's. */
const quote = (word: string) => (/^[\w./:=@-]+$/.test(word) ? word : `"${word.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);

export async function generateCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [what, name] = parsed.args as [string, string | undefined];
  if (what !== 'systemd') throw new UsageError(`unknown command: hull generate ${what}, expected systemd`, 'hull generate');
  if (name === undefined) throw new UsageError('"hull generate systemd" requires a container', 'hull generate');
  const paths = findStatePaths(context.env);
  const { config } = await findInstance(paths, name);
  const script = process.argv[1];
  if (script === undefined) throw new EngineError('state-failed', 'Cannot tell where hull is, expected to be started by its path');
  const hull = [process.execPath, realpathSync(script)].map(quote).join(' ');
  const seconds = config.stopTimeout ?? 10;
  const lines = [
    '[Unit]',
    `Description=hull: ${config.name.replaceAll('%', '%%')}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=exec',
    `Environment=${quote(`HULL_ROOT=${paths.root}`)}`,
    `ExecStart=${hull} supervise ${quote(config.name)}`,
    `ExecStop=${hull} stop ${quote(config.name)}`,
    `TimeoutStopSec=${seconds < 0 ? 'infinity' : seconds + 30}`,
    '# The machine is not the supervisor: it outlives it, and the next supervisor takes it over.',
    'KillMode=process',
    'Restart=on-abnormal',
    '',
    '[Install]',
    `WantedBy=${process.getuid?.() === 0 ? 'multi-user.target' : 'default.target'}`,
    '',
  ];
  const text = lines.join('\n');
  const file = readValue(parsed, 'output');
  if (file === undefined) await writeOut(text);
  else (await import('node:fs')).writeFileSync(file, text);
  return 0;
}
