/** `hull exec`: a further process in a running instance, with this command's streams. Owns: options, terminal, signals that are passed on. */
import { EngineError, findStatePaths, isTerminal, lendTerminal, parseDetachKeys } from '../engine/index.ts';
import { execInInstance, findInstance, findInstanceUser } from '../engine/instances/index.ts';
import { pumpInput } from './attach.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { readLines } from './run.ts';

const COMMAND = 'hull exec';

export async function execCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [name, ...args] = parsed.args as [string, ...string[]];
  const isOn = (option: string) => parsed.switches.get(option) === true;
  const [tty, isDetached] = [isOn('tty'), isOn('detach')];
  const stdin = isOn('interactive') && !isDetached;
  const workdir = readValue(parsed, 'workdir');
  const user = readValue(parsed, 'user');
  if (tty && stdin && !isTerminal()) throw new EngineError('option-invalid', 'the input device is not a TTY');
  if (workdir !== undefined && !workdir.startsWith('/')) throw new UsageError(`Cwd must be an absolute path, not ${workdir}`, COMMAND);
  const typed = [...(parsed.values.get('env-file') ?? []).flatMap((path) => readLines(path, 'environment')), ...(parsed.values.get('env') ?? [])];
  const env = typed.flatMap((entry) => (entry.includes('=') ? [entry] : context.env[entry] === undefined ? [] : [`${entry}=${context.env[entry]}`]));
  const instance = await findInstance(findStatePaths(context.env), name);
  const asUser = user === undefined ? undefined : await findInstanceUser(instance, user);
  const session = await execInInstance(
    instance,
    { args, env, workdir, user: asUser, tty, stdin, windowSize: process.stdout.isTTY ? { rows: process.stdout.rows, columns: process.stdout.columns } : undefined },
    {
      output: (stream, bytes) => (isDetached ? undefined : new Promise((taken) => (stream === 'stdout' ? process.stdout : process.stderr).write(bytes, () => taken()))),
    },
  );
  if (isDetached) {
    session.close();
    await session.wait();
    return 0;
  }
  process.stdout.on('error', () => session.close());
  const lent = tty && stdin ? lendTerminal() : undefined;
  lent?.onResize((rows, columns) => session.resize(rows, columns));
  const stop = stdin ? pumpInput(session, lent === undefined ? undefined : parseDetachKeys(readValue(parsed, 'detach-keys')), () => session.close()) : undefined;
  try {
    return await session.wait();
  } finally {
    stop?.();
    lent?.restore();
    await session.taken();
  }
}
