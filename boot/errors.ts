/**
 * The one error class of boot. Owns: its codes. Rules: `code` tells the engine what happened without reading the text; the
 * text follows `Cannot <action> "<value>": <what is>, expected <what should be>`.
 */
export type BootErrorCode =
  | 'qemu-absent'
  | 'qemu-old'
  | 'qemu-failed'
  | 'accelerator-unusable'
  | 'image-invalid'
  | 'memory-small'
  | 'option-invalid'
  | 'scratch-failed';

export class BootError extends Error {
  readonly code: BootErrorCode;

  constructor(code: BootErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'BootError';
    this.code = code;
  }
}
