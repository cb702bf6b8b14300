/** `hull inspect FILE`. */
import { inspectProgram } from '../engine/toolchain/index.ts';
import type { CommandContext } from './commands.ts';
import type { ParsedOptions } from './options.ts';
import { writeOut } from './write-out.ts';

export async function inspectCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  await writeOut(inspectProgram(parsed.args[0] as string, `${context.dist}/libos/x86_64`, parsed.switches.get('json') === true));
  return 0;
}
