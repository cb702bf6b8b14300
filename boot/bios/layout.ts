/**
 * A disk that a PC BIOS boots: master boot record and loader (start.S), kernel, boot module, root file system. Owns: where each lies and the loader's table. Rule: a function of its parts; the
 * same parts give the same bytes.
 *
 * Partition table: Intel/IBM's MBR, of which firmware wants one active entry; type 0xda is "data without a file system".
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** As start.S has it. */
const SECTOR = 512;
export const LOADER_SECTORS = 16;
const LOADER_SIZE = LOADER_SECTORS * SECTOR;
const TABLE = SECTOR;
const MAGIC = 'HULLDSK\0';
const IS_WHOLE = 0x1b7;
const PARTITION = 0x1be;
const PARTITION_TYPE = 0xda;
const PAGE = 4096;
const CHUNK = 1 << 20;
/** Two cylinders: BIOSes count disks in cylinders, and one without any cannot be read. */
const LEAST_DISK = 1 << 20;

export interface DiskPlaces {
  readonly kernel: number;
  readonly module: number;
}

export interface DiskFiles {
  readonly kernel: Uint8Array;
  /** Without the root, padded to a page when there is one. */
  readonly module: Uint8Array;
  /** An EROFS image that belongs behind the module. */
  readonly root?: RootFile | undefined;
}

export interface RootFile {
  readonly path: string;
  readonly size: number;
}

const toPage = (at: number) => Math.ceil(at / PAGE) * PAGE;

/** start: the first byte that is free. */
export function placeFiles(start: number, kernelSize: number): DiskPlaces {
  const kernel = toPage(start);
  return { kernel, module: toPage(kernel + kernelSize) };
}

export function placeOnDisk(kernelSize: number): DiskPlaces {
  return placeFiles(LOADER_SIZE, kernelSize);
}

const sizeOf = ({ module, root }: DiskFiles) => module.length + (root?.size ?? 0);

/** isWhole: the firmware brings all of the loader (a CD's), and not the first sector only. */
export function makeLoader(bytes: Uint8Array, places: DiskPlaces, files: DiskFiles, isWhole: boolean): Buffer {
  if (bytes.length > LOADER_SIZE || Buffer.from(bytes.buffer, bytes.byteOffset).toString('latin1', TABLE, TABLE + MAGIC.length) !== MAGIC) throw new TypeError('the boot loader is not the one of this build');
  const loader = Buffer.alloc(LOADER_SIZE);
  loader.set(bytes);
  loader[IS_WHOLE] = isWhole ? 1 : 0;
  const table = [places.kernel, files.kernel.length, places.module, files.module.length, sizeOf(files)];
  for (const [i, value] of table.entries()) loader.writeBigUInt64LE(BigInt(value), TABLE + 8 + i * 8);
  return loader;
}

/** The bytes of a disk with these files. */
export function sizeOfDisk(places: DiskPlaces, files: DiskFiles): number {
  return Math.max(toPage(places.module + sizeOf(files)), LEAST_DISK);
}

export function writeAt(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

/** Kernel, module and root to their places. */
export function writeFiles(fd: number, places: DiskPlaces, { kernel, module, root }: DiskFiles): void {
  writeAt(fd, kernel, places.kernel);
  writeAt(fd, module, places.module);
  if (root !== undefined) writeRoot(fd, root, places.module + module.length);
}

/** What is zero stays a hole. */
export function writeRoot(fd: number, root: RootFile, start: number): void {
  const from = openSync(root.path, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK);
    for (let at = 0; at < root.size; ) {
      const size = readSync(from, chunk, 0, Math.min(CHUNK, root.size - at), at);
      if (size === 0) break;
      const piece = chunk.subarray(0, size);
      if (!isZero(piece)) writeAt(fd, piece, start + at);
      at += size;
    }
  } finally {
    closeSync(from);
  }
}

const NOTHING = Buffer.alloc(CHUNK);
export const isZero = (bytes: Buffer): boolean => bytes.equals(NOTHING.subarray(0, bytes.length));

/** The loader with a partition that spans the rest of the disk. */
export function addPartition(loader: Buffer, diskSize: number): Buffer {
  const sectors = Math.min(diskSize / SECTOR, 0xffffffff) - LOADER_SECTORS;
  const entry = loader.subarray(PARTITION, PARTITION + 16);
  entry.set([0x80, 0xfe, 0xff, 0xff, PARTITION_TYPE, 0xfe, 0xff, 0xff]); // cylinders and heads: as large as can be written, as for all disks of today
  entry.writeUInt32LE(LOADER_SECTORS, 8);
  entry.writeUInt32LE(sectors, 12);
  return loader;
}
