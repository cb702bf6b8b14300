/** EROFS images, from trees. */
export { ErofsError, type ErofsErrorCode } from './error.ts';
export { type ErofsSummary, writeErofs } from './write.ts';
