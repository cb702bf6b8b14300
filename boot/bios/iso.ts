/**
 * A CD that a PC BIOS boots: ISO 9660 (ECMA-119) with the boot catalog of "El Torito" 1.0, without emulation. Owns: the format. Rule: the same parts give the same bytes; the CD has no dates.
 *
 * Sectors: 16 volume, 17 boot record, 18 end of descriptors, 19 and 20 path tables, 21 root directory, 22 boot catalog, 23 loader, then the kernel and the boot module with the root behind it, which
 * the directory names as well.
 */
import { ftruncateSync } from 'node:fs';
import { type DiskFiles, type DiskPlaces, LOADER_SECTORS, makeLoader, placeFiles, sizeOfDisk, writeAt, writeFiles } from './layout.ts';

const SECTOR = 2048;
const AT = { volume: 16, boot: 17, end: 18, paths: 19, pathsBig: 20, directory: 21, catalog: 22, loader: 23, files: 27 } as const;
const MOST_FILE = 0xffffffff;

/** Numbers are there in both byte orders. */
function put32(to: Buffer, value: number, at: number): void {
  to.writeUInt32LE(value, at);
  to.writeUInt32BE(value, at + 4);
}

function put16(to: Buffer, value: number, at: number): void {
  to.writeUInt16LE(value, at);
  to.writeUInt16BE(value, at + 2);
}

/** ECMA-119, 9.1. name: "\0" is the directory itself, "\1" the one above. */
function directoryRecord(name: string, sector: number, size: number, isDirectory: boolean): Buffer {
  const record = Buffer.alloc(33 + name.length + ((name.length + 1) % 2));
  record[0] = record.length;
  put32(record, sector, 2);
  put32(record, size, 10);
  record[25] = isDirectory ? 2 : 0;
  put16(record, 1, 28);
  record[32] = name.length;
  record.write(name, 33, 'latin1');
  return record;
}

function descriptor(type: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector[0] = type;
  sector.write('CD001', 1, 'latin1');
  sector[6] = 1;
  return sector;
}

/** ECMA-119, 8.4. */
function volumeDescriptor(sectors: number): Buffer {
  const volume = descriptor(1);
  volume.fill(' ', 8, 72);
  volume.write('HULL', 40, 'latin1');
  put32(volume, sectors, 80);
  put16(volume, 1, 120);
  put16(volume, 1, 124);
  put16(volume, SECTOR, 128);
  put32(volume, 10, 132);
  volume.writeUInt32LE(AT.paths, 140);
  volume.writeUInt32BE(AT.pathsBig, 148);
  volume.set(directoryRecord('\0', AT.directory, SECTOR, true), 156);
  volume.fill(' ', 190, 813);
  for (let at = 813; at < 881; at += 17) volume.fill('0', at, at + 16);
  volume[881] = 1;
  return volume;
}

function pathTable(isBig: boolean): Buffer {
  const table = Buffer.alloc(10);
  table[0] = 1;
  if (isBig) table.writeUInt32BE(AT.directory, 2);
  else table.writeUInt32LE(AT.directory, 2);
  if (isBig) table.writeUInt16BE(1, 6);
  else table.writeUInt16LE(1, 6);
  return table;
}

/** El Torito, 2.1 and 2.2: validation entry, initial entry. */
function bootCatalog(): Buffer {
  const catalog = Buffer.alloc(64);
  catalog[0] = 1;
  catalog.writeUInt16LE(0xaa55, 30);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += catalog.readUInt16LE(at);
  catalog.writeUInt16LE(-sum & 0xffff, 28);
  catalog[32] = 0x88;
  catalog.writeUInt16LE(LOADER_SECTORS, 38);
  catalog.writeUInt32LE(AT.loader, 40);
  return catalog;
}

export function placeOnCd(kernelSize: number): DiskPlaces {
  return placeFiles(AT.files * SECTOR, kernelSize);
}

export function writeCd(fd: number, loader: Uint8Array, places: DiskPlaces, files: DiskFiles): void {
  const size = sizeOfDisk(places, files);
  const moduleSize = files.module.length + (files.root?.size ?? 0);
  if (moduleSize > MOST_FILE) throw new RangeError(`its files take ${moduleSize} bytes, expected at most ${MOST_FILE} on a CD`);
  ftruncateSync(fd, size);
  const put = (sector: number, bytes: Uint8Array) => writeAt(fd, bytes, sector * SECTOR);
  put(AT.volume, volumeDescriptor(size / SECTOR));
  const boot = descriptor(0);
  boot.write('EL TORITO SPECIFICATION', 7, 'latin1');
  boot.writeUInt32LE(AT.catalog, 71);
  put(AT.boot, boot);
  put(AT.end, descriptor(255));
  put(AT.paths, pathTable(false));
  put(AT.pathsBig, pathTable(true));
  const directory = [
    directoryRecord('\0', AT.directory, SECTOR, true),
    directoryRecord('\x01', AT.directory, SECTOR, true),
    directoryRecord('KERNEL.ELF;1', places.kernel / SECTOR, files.kernel.length, false),
    directoryRecord('MODULE.BIN;1', places.module / SECTOR, moduleSize, false),
  ];
  put(AT.directory, Buffer.concat(directory));
  put(AT.catalog, bootCatalog());
  put(AT.loader, makeLoader(loader, places, files, true));
  writeFiles(fd, places, files);
}
