/** The one error class of the EROFS writer. */
export type ErofsErrorCode =
  | 'tree-invalid' // more than an image can hold
  | 'content-changed' // a file changed while it was read
  | 'content-unreadable' // a file cannot be read
  | 'image-damaged' // an image in a cache is not as it was written
  | 'image-unwritable'; // the image cannot be written

export class ErofsError extends Error {
  readonly code: ErofsErrorCode;

  constructor(code: ErofsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ErofsError';
    this.code = code;
  }
}
