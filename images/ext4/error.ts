/** The one error class of the ext4 writer. */
export type Ext4ErrorCode =
  | 'size-invalid' // too small or too large for a file system
  | 'volume-unwritable'; // the image cannot be written

export class Ext4Error extends Error {
  readonly code: Ext4ErrorCode;

  constructor(code: Ext4ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Ext4Error';
    this.code = code;
  }
}
