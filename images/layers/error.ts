/** The one error class of layers. */
export type LayerErrorCode =
  | 'layer-invalid' // not a tar archive as POSIX, GNU or PAX has it, or not compressed as it says
  | 'layer-escapes' // a path or link that leads out of the root file system
  | 'layer-too-large' // more than the limits allow: a bomb
  | 'layer-mismatch' // its content is not what the image's config says
  | 'layer-unsupported'; // a compression or an entry that is not known here

export class LayerError extends Error {
  readonly code: LayerErrorCode;

  constructor(code: LayerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LayerError';
    this.code = code;
  }
}
