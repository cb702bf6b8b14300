/** The one error of compiler/link. */

export type LinkErrorCode =
  | 'undefined-symbol' // a name that nothing defines
  | 'duplicate-symbol' // a name that is defined twice
  | 'relocation-overflow' // a value that does not fit where it has to go
  | 'unsupported' // an input uses what the linker does not do
  | 'bad-object' // an input that is no sound relocatable object
  | 'wrong-machine' // an object for another instruction set
  | 'missing-component' // a component that another one requires was not given
  | 'too-large' // the output would be larger than it may be
  | 'bad-request'; // the linker was asked for what cannot be

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
