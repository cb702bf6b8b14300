/** A request that names an image -> a request to run that image's program. Owns: which option wins over the image's config; what the config means is oci/'s. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { MACHINE_KINDS } from '../boot/index.ts';
import { EngineError } from './errors.ts';
import { parsePublish } from './networks/index.ts';
import type { ImageRun, ImageRunRequest } from './oci/index.ts';
import { isProgramPath } from './program.ts';
import type { RunHost, RunRequest } from './prepare.ts';
import { findStatePaths, markUsed, readKnown, saveKnown, type StatePaths } from './state/index.ts';
import { makeImageVolumes } from './volumes/index.ts';

const RACY_MS = 2000;

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

/** Labels with one of some words: what the image's maker wants of its machine, where nobody asked for something else. */
function readWordLabel<T extends string>(name: string, labels: Readonly<Record<string, string>>, label: string, words: readonly T[], option: string): T | undefined {
  const text = labels[label];
  const word = words.find((each) => each === text);
  if (text !== undefined && word === undefined) {
    throw new EngineError('image-invalid', `Cannot run "${name}": its label ${label} is "${text}", expected ${words.join(' or ')}; ${option} overrides it`);
  }
  return word;
}

function readMachineLabels(request: RunRequest, name: string, labels: Readonly<Record<string, string>>): Pick<RunRequest, 'memory' | 'machine' | 'readOnly'> {
  return {
    memory: request.isMemoryGiven === true ? request.memory : readMemoryLabel(name, labels, request.memory),
    machine: (request.isMachineGiven === true ? undefined : readWordLabel(name, labels, 'hull.machine', MACHINE_KINDS, '--machine KIND')) ?? request.machine,
    readOnly: request.readOnly ?? readWordLabel(name, labels, 'hull.read-only', ['true', 'false'], '--read-only=BOOL') === 'true',
  };
}

/** What an image's config and the options mean together: as it was found before, while the store names the same images and the files are still there. */
async function findRun(request: RunRequest, host: RunHost): Promise<ImageRun> {
  const paths = findStatePaths(host.env);
  const { entrypoint, args, userName, workdir, platform } = request;
  const asked: ImageRunRequest = { image: request.program, platform, entrypoint, args, user: userName, workdir };
  const before = identifyStore(paths);
  const question = ['image', JSON.stringify(asked)];
  const known = before === undefined ? undefined : readKnown<ImageRun>(paths.known, [...question, before.identity]);
  if (known !== undefined && markUsed(known.disk)) return known;
  const { hasImage, openImageRun } = await import('./oci/index.ts');
  if (!hasImage(request.program, paths, platform)) {
    const { ensureImage } = await import('./ship/index.ts');
    await ensureImage(request.program, platform, paths, host, (line) => void process.stderr.write(`${line}\n`));
  }
  const run = await openImageRun(asked, paths, host.env);
  const after = identifyStore(paths);
  // A change within one tick of the file system's clock could hide.
  if (after !== undefined && Date.now() - after.time > RACY_MS) saveKnown(paths.known, [...question, after.identity], run);
  return run;
}

/** Which images the store names: its index, which is written anew with each change. */
function identifyStore({ images }: StatePaths): { readonly identity: string; readonly time: number } | undefined {
  const stat = statSync(join(images, 'index.json'), { bigint: true, throwIfNoEntry: false });
  return stat && { identity: [images, stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join('-'), time: Number(stat.ctimeNs / 1_000_000n) };
}

/** Ports that the image or the request names: "80/tcp". */
export function listExposed({ image, expose }: Pick<RunRequest, 'image' | 'expose'>): string[] {
  return [...new Set([...(image?.ports ?? []), ...(expose ?? [])].map((text) => (text.includes('/') ? text : `${text}/tcp`)))];
}

/** With -P: a free port of this host for each exposed one that none was named for (moby, daemon/network: ports that are bound are not bound again). */
function publishExposed(request: RunRequest): RunRequest {
  if (request.publishAll !== true) return request;
  const { publish } = request.network;
  const bound = new Set(publish.flatMap(parsePublish).map(({ guest, protocol }) => `${guest}/${protocol}`));
  const more = listExposed(request).flatMap(parsePublish).map(({ guest, protocol }) => `${guest}/${protocol}`).filter((port) => !bound.has(port));
  return { ...request, publishAll: false, network: { ...request.network, publish: [...publish, ...new Set(more)] } };
}

/** A request that names a program, or was applied already, comes back as it is, but for what -P publishes. */
export async function applyImage(request: RunRequest, host: RunHost): Promise<RunRequest> {
  return publishExposed(await applyConfig(request, host));
}

async function applyConfig(request: RunRequest, host: RunHost): Promise<RunRequest> {
  if (request.rootfs !== undefined || request.image !== undefined || isProgramPath(request.program)) return request;
  const run = await findRun(request, host);
  const [program, ...rest] = run.argv;
  return {
    ...request,
    ...readMachineLabels(request, run.name, run.labels),
    image: { id: run.id, name: run.name, disk: run.disk, labels: run.labels, platform: run.platform, ports: run.ports, volumes: run.volumes, userName: run.userName, health: run.health },
    mounts: [...request.mounts, ...makeImageVolumes(run.volumes, request.mounts)],
    program: program as string,
    entrypoint: undefined,
    args: rest,
    env: [...run.env, ...request.env],
    workdir: run.workdir,
    user: run.user,
    stopSignal: request.stopSignal ?? run.stopSignal,
  };
}
