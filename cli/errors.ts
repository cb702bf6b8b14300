/** The one error class of cli: what was typed cannot be understood. Docker's exit code for that is 125. */
export class UsageError extends Error {
  readonly code = 'usage';

  constructor(
    message: string,
    /** The command whose help would tell. */
    readonly command: string,
  ) {
    super(message);
    this.name = 'UsageError';
  }
}
