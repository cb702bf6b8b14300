/** Dockerfile instructions that change an image's config, given one by one (`commit -c`). Owns: which of them may be, as Docker has it. */
import { parseDockerfile } from '../dockerfile/index.ts';
import type { ContainerConfig } from '../store/index.ts';
import { applyToConfig, closeConfig, openConfig } from './config.ts';
import { BuildError } from './error.ts';
import { makeExpansion } from './variables.ts';

const ALLOWED = ['CMD', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'HEALTHCHECK', 'LABEL', 'ONBUILD', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR'];

/** DockerfileError, BuildError. */
export function applyChanges(base: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const config = openConfig(base, undefined);
  const { stages, directives } = parseDockerfile('--change', ['FROM scratch', ...changes].join('\n'));
  for (const instruction of stages[0]?.instructions ?? []) {
    if (!ALLOWED.includes(instruction.keyword) || !applyToConfig(instruction, config, makeExpansion(config, new Map(), directives.escape))) {
      throw new BuildError('option-invalid', `${instruction.keyword} is not a valid change command: Cannot change the image's config with it, expected one of ${ALLOWED.join(', ')}`);
    }
  }
  return closeConfig(config);
}
