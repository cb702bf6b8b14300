/** The one error class of builds; what is wrong in a Dockerfile itself is a DockerfileError. */
export type BuildErrorCode =
  | 'context-invalid' // the build context cannot be read
  | 'option-invalid' // an option of the build cannot be met
  | 'sandbox-missing' // this host has nothing in which RUN could execute, or lets us not use it
  | 'run-failed' // a command of RUN ended with an error
  | 'source-missing' // what COPY, ADD or a mount names is not there
  | 'download-failed' // a remote source of ADD cannot be had, or is another than its checksum says
  | 'cache-unwritable' // the build cache cannot be written
  | 'output-unwritable'; // the result cannot be written where it shall go

export class BuildError extends Error {
  readonly code: BuildErrorCode;
  /** run-failed: the command's exit status. */
  readonly status: number | undefined;

  constructor(code: BuildErrorCode, message: string, options?: { cause?: unknown; status?: number }) {
    super(message, options);
    this.name = 'BuildError';
    this.code = code;
    this.status = options?.status;
  }
}
