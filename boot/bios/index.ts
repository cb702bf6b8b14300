/** Machines that boot without hull: disks and CDs for a PC BIOS with a loader of their own, and kernels that bring their boot module along. Loaded only by hull export. */
export { embedModule } from './embed.ts';
export { placeOnCd, writeCd } from './iso.ts';
export { type DiskFiles, type DiskPlaces, placeOnDisk, type RootFile, writeAt, writeRoot } from './layout.ts';
export { writeQcow2 } from './qcow2.ts';
export { writeRawDisk } from './raw.ts';
