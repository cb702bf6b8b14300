/** `hull export`: the files of an instance as a tar archive. */
import { exportInstance } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { refuseTerminal, saveArchive } from './save-archive.ts';

export async function exportCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const output = readValue(parsed, 'output');
  refuseTerminal(output, 'hull export');
  await saveArchive(await exportInstance(parsed.args[0] as string, context.env), output);
  return 0;
}
