/** images: root file systems, from trees of files. */
export { ErofsError, type ErofsErrorCode, type ErofsSummary, writeErofs } from './erofs/index.ts';
export { type FileKind, identifyTree, scanDirectory, type Tree, type TreeEntry, TreeError, type TreeInode } from './rootfs/index.ts';
