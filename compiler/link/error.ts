/** The one error of compiler/link. */

export type LinkErrorCode =
  | 'undefined-symbol'
  | 'duplicate-symbol'
  | 'relocation-overflow'
  | 'unsupported'
  | 'bad-object'
  | 'wrong-machine'
  | 'missing-component'
  | 'too-large'
  | 'bad-request';

export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly code: LinkErrorCode;
  /** Every problem found, one text each; the message has the first few. */
  readonly problems: readonly string[];

  constructor(code: LinkErrorCode, problems: string | readonly string[], options?: ErrorOptions) {
    const all = typeof problems === 'string' ? [problems] : problems;
    const shown = all.slice(0, 10).join('\n');
    super(all.length > 10 ? `${shown}\n… and ${all.length - 10} more` : shown, options);
    this.code = code;
    this.problems = all;
  }
}
