/** A raw disk image. Owns: the order in which it is written; a file of `ftruncate`d size has holes where nothing is. */
import { ftruncateSync } from 'node:fs';
import { addPartition, type DiskFiles, type DiskPlaces, makeLoader, sizeOfDisk, writeAt, writeFiles } from './layout.ts';

export function writeRawDisk(fd: number, loader: Uint8Array, places: DiskPlaces, files: DiskFiles): void {
  const size = sizeOfDisk(places, files);
  ftruncateSync(fd, size);
  writeAt(fd, addPartition(makeLoader(loader, places, files, false), size), 0);
  writeFiles(fd, places, files);
}
