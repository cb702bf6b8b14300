/**
 * `hull export NAME`: an instance's files as a tar archive, as docker export; `hull export --format FORMAT IMAGE`: a machine that starts without hull, or an image's files. Owns: which of the two is
 * meant: --format says that it is an image.
 */
import { EngineError, findStatePaths } from '../engine/index.ts';
import { EXPORT_FORMATS, type ExportFormat, exportArchive, exportImage } from '../engine/export/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { readRunRequest } from './run.ts';
import { checkArchiveOutput, writeArchive } from './write-archive.ts';

const COMMAND = 'hull export';

/** The instance's files, from the root below to what it wrote. */
async function exportInstance(name: string, context: CommandContext, output: string | undefined): Promise<number> {
  const { findInstance } = await import('../engine/instances/index.ts');
  await findInstance(findStatePaths(context.env), name);
  void output;
  throw new EngineError('option-invalid', `Cannot export "${name}": archives of instances are not there yet, expected --format and the name of an image`);
}

export async function exportCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [name, ...args] = parsed.args as [string, ...string[]];
  const format = readValue(parsed, 'format') as ExportFormat | undefined;
  const output = readValue(parsed, 'output');
  if (format === undefined) {
    if (args.length > 0) throw new UsageError(`"${COMMAND}" without --format requires exactly 1 argument`, COMMAND);
    checkArchiveOutput(output, 'save', COMMAND);
    return exportInstance(name, context, output);
  }
  const run = { ...readRunRequest(parsed, COMMAND), stdin: parsed.switches.get('interactive') === true || parsed.switches.get('tty') === true };
  if (format === 'tar') {
    checkArchiveOutput(output, 'save', COMMAND);
    await exportArchive(run, context, (bytes) => writeArchive(bytes, output));
    return 0;
  }
  if (output === undefined) throw new UsageError(`required flag "output" not set: ${EXPORT_FORMATS.filter((each) => each !== 'tar').join(', ')} are not written from front to back, expected -o FILE`, COMMAND);
  await exportImage({ format, output, run }, context);
  return 0;
}
