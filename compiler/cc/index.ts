/** The door of compiler/cc: `hull cc`, a C compiler driver whose executables are bootable images. */
export { type CcContext, compile } from './run-cc.ts';
