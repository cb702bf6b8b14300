/** `hull diff` and `hull commit`: what an instance changed in its image's files, shown, or as an image. */
import { commitInstance, listChanges, withInstanceFiles } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { writeOut } from './write-out.ts';

export async function diffCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const changes = await withInstanceFiles(parsed.args[0] as string, context.env, listChanges);
  await writeOut(changes.map(({ kind, path }) => `${'CAD'[kind]} ${path}\n`).join(''));
  return 0;
}

export async function commitCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [instance, reference] = parsed.args as [string, string | undefined];
  const id = await commitInstance(instance, context.env, {
    reference,
    author: readValue(parsed, 'author'),
    message: readValue(parsed, 'message'),
    changes: parsed.values.get('change') ?? [],
    pause: parsed.switches.get('pause') !== false,
  });
  await writeOut(`${id}\n`);
  return 0;
}
