/** Where COPY --from and mounts take files from: the context, another context, an earlier stage, or an image. Owns: what such a name means. */
import { findNearest, type Flag, type Instruction, makeInstructionError } from '../dockerfile/index.ts';
import { findStage } from './plan.ts';
import type { Session } from './session.ts';
import { type Filesystem, openImage } from './stage.ts';
import { makeDirectory } from './tree.ts';

export async function findSource(session: Session, instruction: Instruction, from: Pick<Flag, 'value' | 'offset' | 'length'> | undefined): Promise<Filesystem> {
  if (from === undefined || from.value === '') return { layers: [], readTree: async () => session.context.root };
  const name = from.value;
  const stage = findStage(session.dockerfile, name, session.dockerfile.stages.length);
  const built = stage === undefined ? undefined : session.built.get(stage.index);
  if (built !== undefined) return built;
  const context = session.contexts.get(name);
  if (context !== undefined) return { layers: [], readTree: async () => context.root };
  if (name === 'scratch') return { layers: [], readTree: async () => makeDirectory() };
  const known = session.images.get(name);
  if (known !== undefined) return known;
  try {
    const image = openImage(await session.host.findImage(name, session.settings.platform), session.cache);
    session.images.set(name, image);
    return image;
  } catch (error) {
    const nearest = findNearest(name, session.dockerfile.stages.flatMap((each) => each.name ?? []));
    throw makeInstructionError(instruction, `"${name}" is neither a stage nor an image: ${(error as Error).message}${nearest === undefined ? '' : `; the stage ${nearest} is near`}`, from);
  }
}
