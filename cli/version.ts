/** `hull version`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandContext } from './commands.ts';
import type { ParsedOptions } from './options.ts';
import { writeOut } from './write-out.ts';

export async function versionCommand(_parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const manifest = JSON.parse(readFileSync(join(context.dist, '../package.json'), 'utf8')) as { version: string };
  await writeOut(`hull version ${manifest.version}\n`);
  return 0;
}
