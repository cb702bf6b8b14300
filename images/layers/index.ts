/** images/layers: layers of images, as streams of entries. */
export { type Compression, compress, decompress, detectCompression } from './compression.ts';
export type { LayerEntry, LayerEntryKind, ReadEntry, WriteEntry } from './entry.ts';
export { LayerError, type LayerErrorCode } from './error.ts';
export { decodeName, encodeName } from './names.ts';
export { makeEntry, walkEntries } from './place.ts';
export { DEFAULT_LIMITS, type ReadLimits, readLayer, type ReadOptions } from './read.ts';
export type { LayerSink } from './sink.ts';
export { writeLayer, type WriteOptions, writeTar, type WrittenLayer } from './write.ts';
export { type ContentSpool, createMerger } from './merge.ts';
export { type StackedLayer, stackLayers } from './spool.ts';
