/** Root file systems out of directories: their images, and programs in them. Loaded only where a run has one. */
export { findRootImage } from './image.ts';
export { findInRoot, findProgram, type FoundKind, readHeadInRoot } from './find.ts';
