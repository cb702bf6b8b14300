/** The one error class of the API's own doings; other components' errors pass through. engine/errors.ts has the statuses. */
export type ApiErrorCode =
  | 'path-missing' // there is no such path in the API
  | 'platform-missing' // the image is there for another platform than the one asked for
  | 'parameter-invalid' // a parameter, header or body cannot be understood
  | 'body-too-large' // a JSON body above the limit
  | 'version-unsupported' // a version of the API that is not spoken here
  | 'swarm-inactive' // it belongs to a swarm, and hull is none
  | 'feature-absent' // hull does not have it
  | 'listen-failed'; // the engine cannot listen where it was asked to

export class ApiError extends Error {
  readonly code: ApiErrorCode;

  constructor(code: ApiErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ApiError';
    this.code = code;
  }
}
