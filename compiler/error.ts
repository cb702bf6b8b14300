/** The one error of the compiler's door: what the program that came in is, and what it should be. */

export type CompilerErrorCode =
  | 'not-elf' // the program is no ELF file
  | 'truncated' // the file ends before what its headers promise
  | 'wrong-class' // a 32-bit program
  | 'wrong-machine' // a program for another instruction set
  | 'not-executable' // an object, a shared library or a core file
  | 'dynamic' // the program needs a dynamic loader
  | 'malformed' // headers that contradict each other
  | 'missing-component' // a component that an image of this kind needs is not in the libOS
  | 'unknown-component' // an option names a component that is not there
  | 'required-component' // an option leaves out what something else needs
  | 'bad-manifest' // the libOS beside hull is damaged or not built
  | 'not-an-image' // the file was not made by hull
  | 'link'; // the linker could not make an image of program and libOS

export class CompilerError extends Error {
  override readonly name = 'CompilerError';
  readonly code: CompilerErrorCode;

  constructor(code: CompilerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
