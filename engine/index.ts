/** engine: what the command line and other doors ask for. */
export { applyImage, listExposed } from './apply-image.ts';
export { describeError, describeSystemError, EngineError, type EngineErrorCode, EXIT, exitCodeOf } from './errors.ts';
export type { RunHost, RunRequest } from './prepare.ts';
export { openProgram } from './program.ts';
export { runProgram } from './run.ts';
export type { StatePaths } from './state/index.ts';
export { isProgramPath } from './program.ts';
export { findStatePaths, keepCompiled } from './state/index.ts';
export { copyVolume, createVolume, findVolume, listVolumes, type MountRequest, parseMountOption, parseTmpfsOption, parseVolumeOption, pruneVolumes, removeVolume, restoreVolume, snapshotVolume, type Volume, VOLUME_NAME } from './volumes/index.ts';
export type { Finding } from './doctor/index.ts';
export { createNetwork, driverOf, findMembers, findNetwork, listNetworks, type MemberInfo, type Network, pruneNetworks, removeNetwork, serveNetwork } from './networks/index.ts';
export { type Accelerator, isTerminal, lendTerminal, type MachineKind } from '../boot/index.ts';
export { matchLabels } from './labels.ts';
export { createDetachFilter, parseDetachKeys } from './detach-keys.ts';
