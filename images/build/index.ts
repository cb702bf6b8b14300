/** Builds: a Dockerfile and its context -> an image. */
export { archiveFilesystem, exportFilesystem, storeImage } from './assemble.ts';
export { buildStages } from './build.ts';
export { applyChanges } from './changes.ts';
export { type BuildContext, openDirectoryContext, readArchiveContext } from './context.ts';
export { evictOld } from './evict.ts';
export { BuildError, type BuildErrorCode } from './error.ts';
export { isGit, openGitContext } from './git.ts';
export { type LayerCache, openLayerCache } from './layer-cache.ts';
export { MOUNT_OPTIONS } from './mounts.ts';
export { removeTree } from './privileges.ts';
export { openProgress, type Progress, type ProgressKind } from './progress.ts';
export type { BuildHost, BuildSettings, RunNetwork, Secret, Session } from './session.ts';
export type { StageResult } from './stage.ts';
export { describeUnused, openArguments } from './variables.ts';
export { openWorkFolder, type WorkFolder } from './work-folder.ts';
