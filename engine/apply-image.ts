/** A request that names an image -> a request to run that image's program. Owns: which option wins over the image's config; what the config means is oci/'s. */
import { EngineError } from './errors.ts';
import { isProgramPath } from './program.ts';
import type { RunHost, RunRequest } from './prepare.ts';
import { findStatePaths } from './state/index.ts';

/** hull.memory: what the image's maker says that its machine needs. */
function readMemoryLabel(name: string, labels: Readonly<Record<string, string>>, otherwise: number): number {
  const text = labels['hull.memory'];
  if (text === undefined) return otherwise;
  const [, digits, unit = 'b'] = /^(\d{1,12})([bkmg])?b?$/i.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** 'bkmg'.indexOf(unit.toLowerCase());
  if (digits === undefined || bytes < 2 ** 20 || bytes > 2 ** 40) {
    throw new EngineError('image-invalid', `Cannot run "${name}": its label hull.memory is "${text}", expected such as 64m; -m MEMORY overrides it`);
  }
  return bytes;
}

/** A request that names a program, or was applied already, comes back as it is. */
export async function applyImage(request: RunRequest, host: RunHost): Promise<RunRequest> {
  if (request.rootfs !== undefined || request.image !== undefined || isProgramPath(request.program)) return request;
  const { hasImage, openImageRun } = await import('./oci/index.ts');
  const paths = findStatePaths(host.env);
  if (!hasImage(request.program, paths)) {
    const { ensureImage } = await import('./ship/index.ts');
    await ensureImage(request.program, paths, host, (line) => void process.stderr.write(`${line}\n`));
  }
  const { entrypoint, args, userName, workdir } = request;
  const run = await openImageRun({ image: request.program, entrypoint, args, user: userName, workdir }, paths, host.env);
  const [program, ...rest] = run.argv;
  return {
    ...request,
    memory: request.isMemoryGiven === true ? request.memory : readMemoryLabel(run.name, run.labels, request.memory),
    image: { id: run.id, name: run.name, disk: run.disk, labels: run.labels, ports: run.ports, volumes: run.volumes, health: run.health },
    program: program as string,
    entrypoint: undefined,
    args: rest,
    env: [...run.env, ...request.env],
    workdir: run.workdir,
    user: run.user,
    stopSignal: request.stopSignal ?? run.stopSignal,
  };
}
