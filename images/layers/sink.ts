/** What layers need of a place that keeps bytes by their digest; images/store has one. */
export interface BlobInfoLike {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

export type LayerSink = (bytes: AsyncIterable<Uint8Array>) => Promise<BlobInfoLike>;
