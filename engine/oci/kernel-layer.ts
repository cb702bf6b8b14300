/**
 * Kernels that come with an image: the layer that `hull build` adds where hull.yaml or a label asks for it, and the program that is a kernel itself, since hull cc linked it. Owns: when such a kernel serves a run. Rule: it serves
 * where nothing was asked for that it lacks; else a kernel is linked here, as for any image.
 */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { basename } from 'node:path';
import { type ImageNote, isSupportedNote, readNoteFrom } from '../../boot/index.ts';
import { writeLayer } from '../../images/layers/index.ts';
import { type Descriptor, type Image, KERNEL, KERNEL_FOLDER, KERNEL_PATH, type Lease, type Store, withoutKernel } from '../../images/store/index.ts';
import { EngineError } from '../errors.ts';
import type { ReadyKernel } from '../images/index.ts';
import type { StatePaths } from '../state/index.ts';
import { openImages, resolveImage } from './image-run.ts';
import { withStacked } from './make-root.ts';

/** What may be asked of the kernel of an image on any host: to run on its own, to keep what is written, to refuse writing. */
export const KERNEL_ADD: readonly string[] = ['control', 'ext4', 'host-calls', 'mounts', 'virtio-blk'];
/** By these a loader brings in what nobody looked at. */
const CHANGES_PROGRAM = /^(LD_|GCONV_PATH$|GETCONF_DIR$)/;
const MOST_KERNEL = 1 << 28;

/** disk: named by the layers' chain id. mounted: paths at which something else may be. */
export function identifyFor(disk: string, program: string, mounted: readonly string[]): string {
  return createHash('sha256').update([basename(disk), program, ...[...mounted].sort()].join('\0')).digest('hex');
}

interface Wanted {
  readonly labels: Readonly<Record<string, string>>;
  readonly id: string;
  readonly disk: string;
  readonly program: string;
  /** Names of variables. */
  readonly environment: readonly string[];
  readonly mounted: readonly string[];
  readonly paths: StatePaths;
}

/** Whether the image brings a kernel for this; `add`: what was asked for beside. */
export function findLayerKernel(wanted: Wanted, add: readonly string[]): ReadyKernel | undefined {
  const { labels, disk, program, environment, mounted } = wanted;
  const diffId = labels[KERNEL.LAYER];
  if (diffId === undefined || labels[KERNEL.FOR] !== identifyFor(disk, program, mounted) || environment.some((name) => CHANGES_PROGRAM.test(name))) return undefined;
  const has = new Set((labels[KERNEL.COMPONENTS] ?? '').split(','));
  if (!add.every((name) => has.has(name))) return undefined;
  return { key: `layer-${diffId.replace(/^sha256:/, '')}`, read: () => readLayerKernel(wanted, diffId) };
}

async function readLayerKernel({ id, paths }: Wanted, diffId: string): Promise<Uint8Array | undefined> {
  const store = openImages(paths);
  const { manifest, config } = resolveImage(store, id);
  const descriptor = manifest.layers[config.rootfs.diff_ids.indexOf(diffId)];
  if (descriptor === undefined) return undefined;
  let kernel: Buffer | undefined;
  await withStacked(paths.chains, 'the kernel', store, [{ descriptor, diffId }], MOST_KERNEL, async ({ root }) => {
    const find = (folder: typeof root | undefined, name: string) => folder?.entries?.find((entry) => entry.name.toString() === name)?.inode;
    const file = KERNEL_PATH.split('/').reduce<typeof root | undefined>(find, root);
    if (file?.source?.fd === undefined) return;
    kernel = Buffer.alloc(file.size);
    readSync(file.source.fd, kernel, 0, file.size, file.source.offset ?? 0);
  });
  const note = kernel && readNote(kernel);
  // Of another version of hull: one is linked here.
  return note !== undefined && isSupportedNote(note) ? kernel : undefined;
}

function readNote(bytes: Buffer): ImageNote | undefined {
  return readNoteFrom((position, size) => bytes.subarray(position, position + size));
}

/** A program that hull cc linked is its own kernel. */
export function asLinkedProgram(bytes: Buffer | undefined, program: string): ReadyKernel | undefined {
  const note = bytes && readNote(bytes);
  if (bytes === undefined || note === undefined) return undefined;
  if (!isSupportedNote(note)) throw new EngineError('image-invalid', `Cannot run "${program}": made for boot ABI ${note.version}, expected an image linked by this version of hull`);
  return { key: `linked-${createHash('sha256').update(bytes).digest('hex')}`, read: async () => bytes };
}

/** The image with that kernel; its manifest. */
export async function addKernelLayer(store: Store, lease: Lease, image: Image, kernel: Uint8Array, wanted: { readonly disk: string; readonly program: string; readonly mounted: readonly string[]; readonly add: readonly string[] }): Promise<Descriptor> {
  const { config, manifest } = withoutKernel(image);
  const common = { uid: 0, gid: 0, mtimeNs: 0n };
  const entries = [
    { ...common, path: KERNEL_FOLDER, kind: 'directory' as const, mode: 0o755, size: 0 },
    { ...common, path: KERNEL_PATH, kind: 'file' as const, mode: 0o644, size: kernel.length, content: () => [kernel] },
  ];
  const { descriptor, diffId } = await writeLayer((bytes) => store.putBlob(lease, bytes), entries, { level: 9 });
  const labels = { [KERNEL.LAYER]: diffId, [KERNEL.FOR]: identifyFor(wanted.disk, wanted.program, wanted.mounted), [KERNEL.COMPONENTS]: wanted.add.join(',') };
  const history = config.history === undefined ? {} : { history: [...config.history, { ...(config.created === undefined ? {} : { created: config.created }), created_by: `hull: kernel for ${wanted.program}` }] };
  return store.putImage(lease, {
    config: { ...config, config: { ...config.config, Labels: { ...config.config?.Labels, ...labels } }, rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, diffId] }, ...history },
    layers: [...manifest.layers, descriptor],
  });
}
