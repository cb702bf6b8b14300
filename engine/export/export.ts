/**
 * `hull export --format`: an image -> a file that starts without hull, or the tar archive of its files. Owns: what such a machine is told, and which components its kernel needs that a machine beside
 * hull does without. Rules: the file is complete or absent; nothing is executed to make it.
 *
 * The machine's channel is the first serial port, or Xen's console, as plain text (no HULL_FLAG_FRAMED); its network, where it has a card, comes by DHCP; what it writes is gone with it. Disk and CD: boot/bios;
 * Xen: xl.ts.
 */
import { closeSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { embedModule, placeOnCd, placeOnDisk, type RootFile, writeAt, writeCd, writeQcow2, writeRawDisk, writeRoot } from '../../boot/bios/index.ts';
import { type BootModule, encodeBootModule, FEATURE, FLAG } from '../../boot/index.ts';
import { applyImage, listExposed } from '../apply-image.ts';
import { EngineError } from '../errors.ts';
import { findKernel, findRootKernel } from '../images/index.ts';
import { findKernelCache, loadLinker, makeModule, openRequestRoot, readComponentLabels, readNoteOf, type RunHost, type RunRequest } from '../prepare.ts';
import { openProgram } from '../program.ts';
import { findStatePaths, openScratch, produceAtomically } from '../state/index.ts';
import { archiveImage } from './archive.ts';
import { isRootInModule, writeDomainFolder } from './xl.ts';

export const EXPORT_FORMATS = ['elf', 'raw', 'qcow2', 'iso', 'xl', 'tar'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
type MachineFormat = Exclude<ExportFormat, 'tar'>;
type FileFormat = Exclude<MachineFormat, 'xl'>;

export interface ExportRequest {
  readonly format: MachineFormat;
  readonly output: string;
  /** Format xl: somebody reads records on its console, and destroys the domain at its end. */
  readonly isFramed?: boolean | undefined;
  /** What is run: the program, its image, environment and so on. */
  readonly run: RunRequest;
}

interface MachineNeeds {
  readonly components: readonly string[];
  /** Further ones, where the program can use a network. */
  readonly network: readonly string[];
  readonly feature: number;
  readonly device: string;
  readonly driver: string;
  /** The root file system is behind the boot module, where it is; else it is a disk of its own. */
  isRootInModule(size: number): boolean;
}

/** A plain machine has a 16550, and what is typed there is the program's input; bits for the seed where it has a device for them. */
const PLAIN: MachineNeeds = {
  components: ['uart-16550', 'uart-input', 'virtio-rng'],
  network: [],
  feature: FEATURE.UART,
  device: 'a serial port',
  driver: 'uart-16550',
  isRootInModule: () => true,
};
/** A domain of Xen has its console, what xl asks of it, the time, and disks and cards that dom0 serves. */
const DOMAIN: MachineNeeds = {
  components: ['xen-console', 'xen-input', 'xen-control', 'xen-clock'],
  network: ['xen-net'],
  feature: FEATURE.XEN_CONSOLE,
  device: "Xen's console",
  driver: 'xen-console',
  isRootInModule,
};

interface Parts {
  readonly kernel: Buffer;
  readonly root: RootFile | undefined;
  /** The module of a machine that finds it at that place of its disk. */
  makeModule(place: Pick<BootModule, 'disk' | 'power'>): Buffer;
}

async function findParts(request: RunRequest, host: RunHost, machine: MachineNeeds, isFramed = false): Promise<Parts> {
  const paths = findStatePaths(host.env);
  const root = await openRequestRoot(request, host, paths, []);
  const file = root === undefined ? openProgram(request.program) : undefined;
  const cache = findKernelCache(paths, host);
  const isOnDisk = root !== undefined && !machine.isRootInModule(statSync(root.image).size);
  const basic = [...machine.components, ...(isOnDisk ? ['xen-blk'] : []), ...(request.readOnly === true ? ['mounts'] : []), ...readComponentLabels(request.image?.labels)];
  const findImage = async (add: readonly string[]) =>
    root !== undefined
      ? findRootKernel(cache, root.kernel, add, () => loadLinker(host))
      : file?.kind === 'executable'
        ? findKernel(cache, file, add, () => loadLinker(host))
        : (file?.path as string);
  let image = await findImage(basic);
  let { features } = readNoteOf(image);
  if ((features & FEATURE.NETWORK) !== 0 && machine.network.length > 0) {
    image = await findImage([...basic, ...machine.network]);
    features = readNoteOf(image).features;
  }
  const isAlone = (features & FEATURE.BINARY) === 0; // a linked program out of an image is all there is of it
  if ((features & machine.feature) === 0) {
    throw new EngineError('option-invalid', `Cannot export "${request.program}": it has no driver for ${machine.device}, expected an image made by hull cc --hull-add or hull build --add with ${machine.driver}`);
  }
  const size = root === undefined || isAlone ? undefined : statSync(root.image).size;
  const plain = makeModule(request, host, request.hostname ?? 'hull', undefined, undefined);
  return {
    kernel: readFileSync(image),
    root: root === undefined || size === undefined ? undefined : { path: root.image, size },
    makeModule: (place) =>
      encodeBootModule({
        ...plain,
        // Mostly nobody reads records there, and no device takes an exit status.
        flags: (plain.flags & ~(FLAG.FRAMED | FLAG.DEBUG_EXIT)) | (isFramed ? FLAG.FRAMED : 0),
        exec: isAlone ? undefined : root?.program,
        rootfs: size === undefined || isOnDisk ? undefined : size,
        ...place,
      }),
  };
}

/** Where the loader finds them. */
const POWER = { port: 0, value: 0 } as const;

const readLoader = (host: RunHost) => readFileSync(`${host.dist}/bin/hull-bios-x86_64`);

function writeElf(fd: number, { kernel, root, makeModule }: Parts): void {
  const { head, tail } = embedModule(kernel, makeModule({}), root?.size ?? 0);
  writeAt(fd, head, 0);
  if (root !== undefined) writeRoot(fd, root, head.length);
  writeAt(fd, tail, head.length + (root?.size ?? 0));
}

function writeRaw(fd: number, { kernel, root, makeModule }: Parts, host: RunHost): void {
  const places = placeOnDisk(kernel.length);
  writeRawDisk(fd, readLoader(host), places, { kernel, root, module: makeModule({ disk: places.module, power: POWER }) });
}

function writeIso(fd: number, { kernel, root, makeModule }: Parts, host: RunHost): void {
  const places = placeOnCd(kernel.length);
  writeCd(fd, readLoader(host), places, { kernel, root, module: makeModule({ power: POWER }) });
}

/** By way of a raw image without a name. */
function writeQcow(fd: number, parts: Parts, host: RunHost, folder: string): void {
  const raw = openScratch(folder);
  try {
    writeRaw(raw, parts, host);
    writeQcow2(raw, fd);
  } finally {
    closeSync(raw);
  }
}

const WRITERS: Record<FileFormat, (fd: number, parts: Parts, host: RunHost, folder: string) => void> = { elf: writeElf, raw: writeRaw, qcow2: writeQcow, iso: writeIso };

export async function exportImage({ format, output, run, isFramed }: ExportRequest, host: RunHost): Promise<void> {
  const applied = await applyImage(run, host);
  const parts = await findParts(applied, host, format === 'xl' ? DOMAIN : PLAIN, isFramed);
  if (format === 'xl') {
    writeDomainFolder(output, { kernel: parts.kernel, module: parts.makeModule({}), root: parts.root, hasCard: listExposed(applied).length > 0, memory: applied.memory, name: basename(output), isKept: isFramed === true });
    return;
  }
  produceAtomically(output, (fd) => WRITERS[format](fd, parts, host, dirname(output)), 0o644, 'room for the image');
}

/** Format tar. */
export async function exportArchive(run: RunRequest, host: RunHost, write: (bytes: AsyncIterable<Uint8Array>) => Promise<void>): Promise<void> {
  const { image } = await applyImage(run, host);
  if (image === undefined) throw new EngineError('option-invalid', `Cannot export "${run.program}" as tar: it has no root file system of its own, expected the name of an image`);
  await archiveImage(image.disk, write);
}
