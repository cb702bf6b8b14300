/** `hull top`: the processes and threads in a running instance. */
import { findStatePaths } from '../engine/index.ts';
import { findInstance, listProcesses } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import type { ParsedOptions } from './options.ts';
import { formatTable } from './tables.ts';
import { writeOut } from './write-out.ts';

export async function topCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [name, ...options] = parsed.args as [string, ...string[]];
  const instance = await findInstance(findStatePaths(context.env), name);
  // ps' own options: without any all threads, as with -L; with others (-ef, aux) processes.
  const withThreads = options.length === 0 || options.some((text) => /^-?\w*[LTH]/.test(text));
  const { titles, rows } = await listProcesses(instance, withThreads);
  await writeOut(formatTable([titles, ...rows]));
  return 0;
}
