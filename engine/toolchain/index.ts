/** The engine's side of the compiler. Loaded only when an image is made, explained or symbolised. */
export { findRootCalls, type RootProgram } from './analyze-root.ts';
export { buildProgramImage, createImageLinker, inspectProgram } from './link-program.ts';
export { loadSymbolizer } from './symbolize.ts';
