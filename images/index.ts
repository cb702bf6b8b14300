/** images: root file systems, from trees of files. The store and layers have doors of their own: images/store, images/layers. */
export { ErofsError, type ErofsErrorCode, type ErofsFile, type ErofsReader, type ErofsSummary, openErofs, writeErofs } from './erofs/index.ts';
export { dropOverlayNames, type FileKind, type FilePlace, type FileStat, isOpaque, isWhiteout, layerOf, openHostFiles, type StackedFile, type StackedPlace, stackPlaces, identifyTree, scanDirectory, type Tree, type TreeEntry, TreeError, type TreeInode } from './rootfs/index.ts';
