/** What a machine has of the host's files: bind mounts, volumes, tmpfs. */
export { makeImageVolumes, type MountRequest, parseMountOption, parseTmpfsOption, parseVolumeOption, VOLUME_NAME } from './parse.ts';
export { copyVolume, restoreVolume, snapshotVolume } from './copy.ts';
export { openWritable } from './block.ts';
export { type MountPlan, planMounts, type VolumeUser } from './plan.ts';
export { emptyUnfinished } from './unfinished.ts';
export { createVolume, findVolume, findVolumeUsers, holdVolume, listVolumes, pruneVolumes, releaseVolume, removeVolume, type Volume } from './store.ts';
