/** `hull build [OPTIONS] -o IMAGE PROGRAM`. */
import { buildProgramImage } from '../engine/toolchain/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';

export function buildCommand(parsed: ParsedOptions, context: CommandContext): number {
  const output = readValue(parsed, 'output');
  if (output === undefined || output === '') throw new UsageError('required flag "output" not set, expected -o IMAGE', 'hull build');
  buildProgramImage(parsed.args[0] as string, output, `${context.dist}/libos/x86_64`, {
    add: parsed.values.get('add') ?? [],
    leaveOut: parsed.values.get('omit') ?? [],
    strip: parsed.switches.get('strip') ?? false,
    map: readValue(parsed, 'map'),
    symbols: readValue(parsed, 'symbols'),
  });
  return 0;
}
