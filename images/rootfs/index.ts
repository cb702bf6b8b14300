/** Trees of files: what a root file system holds, as data. */
export { scanDirectory, TreeError } from './scan.ts';
export { type FileKind, identifyTree, type Tree, type TreeEntry, type TreeInode } from './tree.ts';
