/** The one error class of the EROFS writer. */
export type ErofsErrorCode = 'tree-invalid' | 'content-changed' | 'content-unreadable' | 'image-unwritable';

export class ErofsError extends Error {
  readonly code: ErofsErrorCode;

  constructor(code: ErofsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ErofsError';
    this.code = code;
  }
}
