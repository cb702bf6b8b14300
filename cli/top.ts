/** `hull top`: the processes and threads in a running instance. */
import { findStatePaths } from '../engine/index.ts';
import { asksForThreads, findInstance, listProcesses } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import type { ParsedOptions } from './options.ts';
import { formatTable } from './tables.ts';
import { writeOut } from './write-out.ts';

export async function topCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [name, ...options] = parsed.args as [string, ...string[]];
  const instance = await findInstance(findStatePaths(context.env), name);
  // Without options all threads.
  const withThreads = options.length === 0 || asksForThreads(options);
  const { titles, rows } = await listProcesses(instance, withThreads);
  await writeOut(formatTable([titles, ...rows]));
  return 0;
}
