/** `hull cc`: everything that follows goes to the compiler driver as it was typed. */
import { compile } from '../compiler/cc/index.ts';
import type { CommandContext } from './commands.ts';
import type { ParsedOptions } from './options.ts';

export async function ccCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  return compile(parsed.args, { dist: context.dist, env: context.env });
}
