/** The one error class of ext4 file systems in files. */
export type Ext4ErrorCode =
  | 'size-invalid' // too small or too large for a file system
  | 'volume-unwritable' // the image cannot be written
  | 'volume-unreadable'; // it is no ext4 file system, a damaged one, or one with a feature that is not known here

export class Ext4Error extends Error {
  readonly code: Ext4ErrorCode;

  constructor(code: Ext4ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Ext4Error';
    this.code = code;
  }
}
