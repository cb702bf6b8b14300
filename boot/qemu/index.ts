/** QEMU: finding it, starting a machine, waiting for its end. */
export { type Accelerator, type Card, listMachineKinds, MACHINE_KINDS, type MachineKind, type Share, type VolumeDisk } from './arguments.ts';
export { makeQemuArguments } from './arguments.ts';
export { findProgram, findQboot, findQemu, type Qemu, readQemuVersion } from './find.ts';
export { askDetached } from './ask.ts';
export { DETACHED, type DetachedStart, removeSockets, startDetached } from './detached.ts';
export { connectIn, connectQmp, type QmpClient } from './qmp-client.ts';
export { createListener } from './heard.ts';
export { placeLauncher, wrapLaunch } from './launch.ts';
export { readLinuxImage } from './linux-image.ts';
export { explainError, formatBytes, type Machine, type MachineEnd, type MachineEvents, type MachineSpec, startMachine } from './machine.ts';
export { openNameless, writeUnlinkedFile } from './scratch.ts';
