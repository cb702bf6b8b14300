/** The verbs that do one thing to each of several instances: start, stop, restart, kill, pause, unpause, wait, rm. Owns: that one failure does not keep the others, as in docker. */
import { describeError, exitCodeOf } from '../engine/index.ts';
import { killInstance, pauseInstance, removeInstance, restartInstance, startInstance, stopInstance, waitInstance } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { parseSignal } from './quantities.ts';
import { writeOut } from './write-out.ts';

function readStop(parsed: ParsedOptions, command: string) {
  const signal = readValue(parsed, 'signal');
  const time = readValue(parsed, 'time');
  if (time !== undefined && !/^-?\d+$/.test(time)) throw new UsageError(`invalid argument "${time}" for "-t, --time" flag: expected seconds, or -1`, command);
  return { signal: signal === undefined ? undefined : parseSignal(signal, command), timeout: time === undefined ? undefined : Number(time) };
}

/** What is done to one name; the result is printed. */
function findAction(verb: string, parsed: ParsedOptions, context: CommandContext): (name: string) => Promise<string | undefined> {
  const { env } = context;
  const command = `hull ${verb}`;
  const notice = (line: string) => process.stderr.write(`hull: ${line}\n`);
  switch (verb) {
    case 'start':
      return async (name) => {
        await startInstance(name, context, { notice });
        return name;
      };
    case 'stop': {
      const options = readStop(parsed, command);
      return async (name) => {
        await stopInstance(name, env, options);
        return name;
      };
    }
    case 'restart': {
      const options = readStop(parsed, command);
      return async (name) => {
        await restartInstance(name, context, { ...options, notice });
        return name;
      };
    }
    case 'kill': {
      const { signal } = readStop(parsed, command);
      return async (name) => {
        await killInstance(name, env, signal);
        return name;
      };
    }
    case 'pause':
    case 'unpause':
      return async (name) => {
        await pauseInstance(name, env, verb === 'pause');
        return name;
      };
    case 'wait':
      return async (name) => String(await waitInstance(name, env));
    case 'rm': {
      const force = parsed.switches.get('force') === true;
      const volumes = parsed.switches.get('volumes') === true;
      return async (name) => {
        try {
          await removeInstance(name, env, { force, volumes });
          return name;
        } catch (error) {
          if (force && (error as { code?: string }).code === 'instance-missing') return undefined;
          throw error;
        }
      };
    }
    default:
      throw new Error(`no such verb: ${verb}`);
  }
}

export async function nameCommand(verb: string, parsed: ParsedOptions, context: CommandContext): Promise<number> {
  if (verb === 'start' && (parsed.switches.get('attach') === true || parsed.switches.get('interactive') === true)) {
    if (parsed.args.length > 1) throw new UsageError('you cannot start and attach multiple containers at once', 'hull start');
    return (await import('./attach.ts')).startAttached(parsed.args[0] as string, parsed, context);
  }
  const act = findAction(verb, parsed, context);
  let code = 0;
  for (const name of parsed.args) {
    try {
      const said = await act(name);
      if (said !== undefined) await writeOut(`${said}\n`);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      process.stderr.write(`hull: ${describeError(error)}\n`);
      code = verb === 'start' && exitCodeOf(error) !== 1 ? exitCodeOf(error) : 1;
    }
  }
  return code;
}
