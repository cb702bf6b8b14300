/**
 * The one error class of boot. Owns: its codes. Rules: `code` tells the engine what happened without reading the text; the
 * text follows `Cannot <action> "<value>": <what is>, expected <what should be>`.
 */
export type BootErrorCode =
  | 'qemu-absent' // QEMU is not where it was looked for
  | 'qemu-old' // QEMU is older than 7.2
  | 'qemu-failed' // QEMU did not start, or did not say its version
  | 'qemu-killed' // QEMU was killed from outside before it could answer
  | 'accelerator-unusable' // the accelerator that was asked for does not run guests here
  | 'image-invalid' // the image names no channel, or has no image note
  | 'memory-small' // less memory was asked for than the image needs to start
  | 'xl-missing' // Xen's toolstack is not where it was looked for
  | 'xl-failed' // Xen's toolstack refused, or Xen does not run this machine
  | 'scratch-failed' // no room for the boot module
  | 'address-invalid'; // a network address or a guest's path is not one

export class BootError extends Error {
  readonly code: BootErrorCode;

  constructor(code: BootErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'BootError';
    this.code = code;
  }
}
