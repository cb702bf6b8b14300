/** OCI images as runs: what an image's config and a person's options mean together, its root file system, its kernel. Loaded only where an image is run. */
export { findImageDisk, hasImage, openImages, resolveImage, type ImageRun, type ImageRunRequest, openImageRun } from './image-run.ts';
export { openImageProgram } from './program.ts';
/** In files of their own: a run seldom needs them. */
export const buildKernel = async (...args: Parameters<typeof import('./build-kernel.ts').buildKernel>) => (await import('./build-kernel.ts')).buildKernel(...args);
export const withStacked = async (...args: Parameters<typeof import('./make-root.ts').withStacked>) => (await import('./make-root.ts')).withStacked(...args);
export { pickRootLayers, readLimit } from './root.ts';
export type { ImageUser } from './users.ts';
