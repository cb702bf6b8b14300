/** engine: what the command line and other doors ask for. */
export { describeError, describeSystemError, EngineError, type EngineErrorCode, EXIT, exitCodeOf } from './errors.ts';
export { type RunHost, type RunRequest, runProgram } from './run.ts';
export type { StatePaths } from './state/index.ts';
export type { Finding } from './doctor/index.ts';
export type { Accelerator, MachineKind } from '../boot/index.ts';
