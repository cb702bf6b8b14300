/** Trees of files: what a root file system holds, as data; and files where they lie. */
export { decodeDevice, type FilePlace, type FileStat, KIND_OF_MODE } from './files.ts';
export { openHostFiles } from './host.ts';
export { makeReadAt } from './read-at.ts';
export { scanDirectory, TreeError } from './scan.ts';
export { dropOverlayNames, isOpaque, isWhiteout, layerOf, type StackedFile, type StackedPlace, stackPlaces } from './stack.ts';
export { type FileKind, identifyTree, type Tree, type TreeEntry, type TreeInode } from './tree.ts';
export { walkPath } from './walk.ts';
