/** The one error of compiler/cc. `status` is the exit status that a C compiler would give. */

export type CcErrorCode =
  | 'bad-option' // an option is unknown or lacks its value
  | 'no-input' // no source, object or library to work on
  | 'missing-file' // an input is not there or cannot be read
  | 'missing-library' // no archive of that name in the library folders
  | 'no-compiler' // neither clang nor gcc is there, or $HULL_CC cannot be run
  | 'compile-failed' // the compiler found an error; the exit status is the compiler's
  | 'unsupported' // an option asks for what an image cannot be
  | 'missing-sysroot' // hull's C library is not beside hull
  | 'write-failed'; // the output cannot be written

export class CcError extends Error {
  override readonly name = 'CcError';
  readonly component = 'cc';
  readonly code: CcErrorCode;
  readonly status: number;

  constructor(code: CcErrorCode, message: string, options?: ErrorOptions & { status?: number }) {
    super(message, options);
    this.code = code;
    this.status = options?.status ?? 1;
  }
}
