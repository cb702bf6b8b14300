/** `hull logs`: what an instance wrote, stdout to stdout and stderr to stderr. */
import { findStatePaths } from '../engine/index.ts';
import { findInstance, readLogs } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { parseMoment } from './moments.ts';
import { writeTo } from './write-out.ts';

const COMMAND = 'hull logs';

function parseTail(text: string): number | undefined {
  if (text === 'all') return undefined;
  if (!/^-?\d+$/.test(text)) throw new UsageError(`invalid argument "${text}" for "-n, --tail" flag: expected a number or all`, COMMAND);
  return Number(text) < 0 ? undefined : Number(text);
}

/** RFC 3339 with nine digits, as Docker writes times. */
export function formatTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}

export async function logsCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const since = readValue(parsed, 'since');
  const until = readValue(parsed, 'until');
  const tail = readValue(parsed, 'tail');
  const request = {
    stdout: true,
    stderr: true,
    follow: parsed.switches.get('follow') === true,
    since: since === undefined ? undefined : parseMoment(since, 'since', COMMAND),
    until: until === undefined ? undefined : parseMoment(until, 'until', COMMAND),
    tail: tail === undefined ? undefined : parseTail(tail),
  };
  const hasTimes = parsed.switches.get('timestamps') === true;
  const instance = await findInstance(paths, parsed.args[0] as string);
  for await (const { stream, bytes, time } of readLogs(instance, request)) {
    const line = hasTimes ? Buffer.concat([Buffer.from(`${formatTime(time)} `), bytes]) : bytes;
    await writeTo(stream === 'stdout' ? process.stdout : process.stderr, line);
  }
  return 0;
}
