/** EROFS images, from trees; and what is in them. */
export { ErofsError, type ErofsErrorCode } from './error.ts';
export { type ErofsFile, type ErofsReader, openErofs } from './read.ts';
export { type ErofsSummary, writeErofs } from './write.ts';
