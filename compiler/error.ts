/** The one error of the compiler's door: what the program that came in is, and what it should be. */

export type CompilerErrorCode =
  | 'not-elf'
  | 'truncated'
  | 'wrong-class'
  | 'wrong-machine'
  | 'not-executable'
  | 'dynamic'
  | 'malformed'
  | 'missing-component'
  | 'unknown-component'
  | 'required-component'
  | 'bad-manifest'
  | 'not-an-image'
  | 'link';

export class CompilerError extends Error {
  override readonly name = 'CompilerError';
  readonly code: CompilerErrorCode;

  constructor(code: CompilerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
