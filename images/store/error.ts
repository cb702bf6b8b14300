/** The one error class of the image store. */
export type StoreErrorCode =
  | 'reference-invalid' // not the name, digest or short id of an image
  | 'image-missing' // the store has no such image
  | 'image-ambiguous' // a short id that several images begin with
  | 'image-invalid' // a manifest, index or config that is not as the specification says
  | 'image-in-use' // more names or children than one removal may take
  | 'platform-missing' // an image that is not there for the platform that was asked for
  | 'blob-missing' // the store lacks content that an image names
  | 'blob-damaged' // content whose digest or size is another than the one it is named by
  | 'store-invalid' // the folder is no OCI image layout, or a damaged one
  | 'store-busy' // another process holds the store for too long
  | 'store-unwritable' // a file of the store cannot be written
  | 'disk-full'; // no room to write

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

/** What a failed system call on a file of the store means. */
export function explainWrite(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StoreError('disk-full', `Cannot write "${path}": no space left on device, expected room for the image`, { cause: error });
  }
  return new StoreError('store-unwritable', `Cannot write "${path}": ${error.message}, expected to write into the image store`, { cause: error });
}
