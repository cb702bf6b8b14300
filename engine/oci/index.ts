/** OCI images as runs: what an image's config and a person's options mean together, its root file system, its kernel. Loaded only where an image is run. */
export { findImageDisk, hasImage, openImages, resolveImage, type ImageRun, type ImageRunRequest, openImageRun } from './image-run.ts';
export { openImageProgram } from './program.ts';
export { pickRootLayers } from './root.ts';
export { findImageUser, type ImageUser } from './users.ts';
/** In a file of its own: a run does without. */
export const buildKernel = async (...args: Parameters<typeof import('./build-kernel.ts').buildKernel>) => (await import('./build-kernel.ts')).buildKernel(...args);
