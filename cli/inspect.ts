/** `hull inspect [OPTIONS] FILE`. */
import { inspectProgram } from '../engine/toolchain/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { writeOut } from './write-out.ts';

export async function inspectCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const request = {
    program: parsed.args[0] as string,
    rootfs: readValue(parsed, 'rootfs'),
    libos: `${context.dist}/libos/x86_64`,
    env: context.env,
  };
  const asJson = parsed.switches.get('json') === true || readValue(parsed, 'format') === 'json';
  await writeOut(inspectProgram(request, asJson));
  return 0;
}
