/** The door of compiler/elf: reading and writing ELF files and ar archives. */
export * from './archive.ts';
export * from './constants.ts';
export { ElfError, type ElfErrorCode } from './error.ts';
export * from './notes.ts';
export * from './reader.ts';
export * from './relocations.ts';
export * from './symbols.ts';
export * from './writer.ts';
