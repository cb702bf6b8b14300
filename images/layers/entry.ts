/** One change that a layer makes to a root file system (OCI Image Format Specification 1.1, layer.md). Owns: its shape. */
export type LayerEntryKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink' // another name of what an earlier entry, or a lower layer, has at `target`
  | 'character'
  | 'block'
  | 'fifo'
  | 'whiteout' // what lower layers have at `path` is gone
  | 'opaque'; // what lower layers have in the directory `path` is gone

export interface LayerEntry {
  /** Relative to the root, without "." and ".." and doubled slashes; "" is the root itself. Bytes that are no UTF-8: see names.ts. */
  readonly path: string;
  readonly kind: LayerEntryKind;
  /** Permission bits with set-id and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Bytes of a file's content; 0 for all others. */
  readonly size: number;
  /** symlink: its text; hardlink: a path like `path`. */
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

/** As it is read: the content comes along, and is gone when the next entry is asked for. */
export interface ReadEntry extends LayerEntry {
  content(): AsyncIterable<Buffer>;
}

/** As it is written: the content is asked for when its turn has come; exactly `size` bytes. */
export interface WriteEntry extends LayerEntry {
  content?: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}
