/** The one error class of registries. */
export type RegistryErrorCode =
  | 'registry-unreachable' // no connection, or it broke too often, or nothing came for too long
  | 'registry-refused' // the registry answered with an error
  | 'registry-invalid' // the registry's answer is not as the specification says
  | 'unauthorized' // the credentials do not hold, or there are none
  | 'manifest-missing' // the registry has no such image
  | 'platform-missing' // the image is not there for the platform that was asked for
  | 'credentials-failed'; // config.json or a credential helper cannot be used

export class RegistryError extends Error {
  readonly code: RegistryErrorCode;

  constructor(code: RegistryErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'RegistryError';
    this.code = code;
  }
}
