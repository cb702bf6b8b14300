/** The door of compiler/cc: `hull cc`, a C compiler driver whose executables are bootable images. */
export { CcError, type CcErrorCode } from './error.ts';
export { type CcRequest, runCc } from './run-cc.ts';
