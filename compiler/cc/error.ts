/** The one error of compiler/cc. `status` is the exit status that a C compiler would give. */

export type CcErrorCode =
  | 'bad-option'
  | 'no-input'
  | 'missing-file'
  | 'missing-library'
  | 'no-compiler'
  | 'compile-failed'
  | 'unsupported'
  | 'missing-sysroot'
  | 'write-failed';

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
