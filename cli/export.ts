/**
 * `hull export CONTAINER`: the files of an instance as a tar archive; `hull export --format FORMAT IMAGE`: a machine that starts without hull, or an image's files. Owns: which of the two is meant: --format says
 * that it is an image.
 */
import { EXPORT_FORMATS, type ExportFormat, exportArchive, exportImage } from '../engine/export/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { readRunRequest } from './run.ts';
import { refuseTerminal, saveArchive } from './save-archive.ts';

const COMMAND = 'hull export';

export async function exportCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [name, ...args] = parsed.args as [string, ...string[]];
  const format = readValue(parsed, 'format') as ExportFormat | undefined;
  const output = readValue(parsed, 'output');
  if (format === undefined) {
    if (args.length > 0) throw new UsageError(`"${COMMAND}" without --format requires exactly 1 argument`, COMMAND);
    refuseTerminal(output, COMMAND);
    const { exportInstance } = await import('../engine/instances/index.ts');
    await saveArchive(await exportInstance(name, context.env), output);
    return 0;
  }
  const run = { ...readRunRequest(parsed, COMMAND), stdin: parsed.switches.get('interactive') === true || parsed.switches.get('tty') === true };
  if (format === 'tar') {
    refuseTerminal(output, COMMAND);
    await exportArchive(run, context, (bytes) => saveArchive(bytes, output));
    return 0;
  }
  if (output === undefined) throw new UsageError(`required flag "output" not set: ${EXPORT_FORMATS.filter((each) => each !== 'tar').join(', ')} are not written from front to back, expected -o FILE`, COMMAND);
  await exportImage({ format, output, run }, context);
  return 0;
}
