/** QEMU: finding it, starting a machine, waiting for its end. */
export type { Accelerator, MachineKind, Share } from './arguments.ts';
export { makeQemuArguments } from './arguments.ts';
export { findProgram, findQboot, findQemu, type Qemu, readQemuVersion } from './find.ts';
export { wrapLaunch } from './launch.ts';
export { formatBytes, type Machine, type MachineEnd, type MachineEvents, type MachineSpec, startMachine } from './machine.ts';
export { openNameless, writeUnlinkedFile } from './scratch.ts';
