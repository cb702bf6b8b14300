/**
 * Which stages a build needs, and in which order. Owns: what a name in FROM, COPY --from and RUN --mount=from means. Rules: a stage may only use earlier ones; a
 * name that is no stage is an image; what the target does not need is not built.
 */
import { type Dockerfile, expectOneOf, type Instruction, listFlags, makeInstructionError, readFlag, type Stage } from '../dockerfile/index.ts';
import { BuildError } from './error.ts';
import { MountProblem, parseMount } from './mounts.ts';

/** An earlier stage by its name or number; of two with one name, the later. */
export function findStage(dockerfile: Dockerfile, name: string, before: number): Stage | undefined {
  const earlier = dockerfile.stages.slice(0, before);
  const lower = name.toLowerCase();
  return earlier.findLast((stage) => stage.name === lower) ?? (/^\d+$/.test(name) ? earlier[Number(name)] : undefined);
}

export function findTarget(dockerfile: Dockerfile, name: string | undefined): Stage {
  const last = dockerfile.stages.at(-1) as Stage;
  if (name === undefined || name === '') return last;
  const found = findStage(dockerfile, name, dockerfile.stages.length);
  if (found !== undefined) return found;
  const names = dockerfile.stages.flatMap((stage) => stage.name ?? []);
  throw new BuildError('option-invalid', `Cannot build target "${name}": no such stage in ${dockerfile.source.name}, ${names.length === 0 ? 'expected a number: its stages have no names' : expectOneOf(name, names)}`);
}

/** Names behind --from and in mounts, with where they are. */
function listSources(instruction: Instruction): { name: string; offset: number; length: number }[] {
  const flags = ['COPY', 'ADD'].includes(instruction.keyword) ? [readFlag(instruction, 'from')].flatMap((flag) => flag ?? []) : [];
  const found = flags.map((flag) => ({ name: flag.value, offset: flag.valueOffset, length: flag.value.length }));
  if (instruction.keyword !== 'RUN') return found;
  for (const flag of listFlags(instruction, 'mount')) {
    const part = { offset: flag.valueOffset, length: flag.value.length };
    try {
      const { from } = parseMount(flag.value);
      if (from !== undefined) found.push({ name: from, ...part });
    } catch (error) {
      if (!(error instanceof MountProblem)) throw error;
      if (!flag.value.includes('$')) throw makeInstructionError(instruction, error.message, part);
    }
  }
  return found;
}

/** In the order of building; the target last. `resolveBase`: FROM's image with its variables expanded. */
export function planStages(dockerfile: Dockerfile, target: Stage, resolveBase: (stage: Stage) => string): Stage[] {
  const order: Stage[] = [];
  const visit = (stage: Stage) => {
    if (order.includes(stage)) return;
    const base = findStage(dockerfile, resolveBase(stage), stage.index);
    if (base !== undefined && !/^\d+$/.test(resolveBase(stage))) visit(base);
    for (const instruction of stage.instructions) {
      for (const { name, offset, length } of listSources(instruction)) {
        const source = findStage(dockerfile, name, stage.index);
        if (source !== undefined) visit(source);
        else if (/^\d+$/.test(name) || name.toLowerCase() === stage.name) {
          throw makeInstructionError(instruction, `"${name}" is no earlier stage, ${stage.index === 0 ? 'expected an image: this is the first stage' : `expected 0 to ${stage.index - 1} or a name`}`, { offset, length });
        }
      }
    }
    order.push(stage);
  };
  visit(target);
  return order;
}
