/** Instances: machines that outlive the command that started them, without a daemon. The command line and the API are two doors to these functions. */
export { connectInstance, disconnectInstance, networkNameOf } from './connect.ts';
export { emptyAbandoned } from './abandoned.ts';
export { createInstance } from './create.ts';
export { type EngineEvent, followEvents, readEvents, recordEvent } from './events.ts';
export { describePorts, describeUse, inspectInstance } from './inspect.ts';
export {
  isInstanceAlive,
  killInstance,
  pauseInstance,
  removeInstance,
  type RemoveOptions,
  restartInstance,
  startInstance,
  type StartOptions,
  stopInstance,
  type StopOptions,
  type WaitCondition,
  waitInstance,
} from './lifecycle.ts';
export { type LogRequest, readLogs } from './logs.ts';
export { findInstance, isRunning, listInstances } from './observe.ts';
export { type OutputPiece, type OutputStream, outputSize, readOutput } from './output.ts';
export type { Instance, InstanceConfig, InstanceSpec, InstanceState, RestartPolicy, Status } from './types.ts';
export { loadInstance, renameInstance, requireFreeName } from './store.ts';
export { sendResize } from './control.ts';
export { type FollowOptions, followInstance, type InstanceInput, openInput } from './attach.ts';
export { type ExecEvents, execInInstance, type ExecRequest, type ExecSession } from './exec.ts';
export { type InstanceStats, readStats } from './stats.ts';
export { type InstanceUpdate, pruneInstances, updateInstance } from './update.ts';
export { copyHostFiles, exportInstance, type InstancePathStat, readInstanceArchive, readInstanceEntries, statInstancePath, writeInstanceArchive } from './archive.ts';
export { type FileChange, listChanges } from './changes.ts';
export { type CommitRequest, commitInstance } from './commit.ts';
export { extractEntries } from './extract.ts';
export { withInstanceFiles } from './files.ts';
export { asksForThreads, findInstanceUser, listProcesses, type ProcessTable } from './look.ts';
export type { PutOptions } from './put.ts';
export { type HealthState, readHealth } from './health.ts';
export { isToRestart, superviseInstances } from './supervise.ts';
export { formatSince, formatStatus } from './status.ts';
export { makeInstanceFilter } from './filter.ts';
