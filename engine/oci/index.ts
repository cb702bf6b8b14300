/** OCI images as runs: what an image's config and a person's options mean together, its root file system, its kernel. Loaded only where an image is run. */
export { findImageDisk, hasImage, openImages, resolveImage, type ImageRun, type ImageRunRequest, openImageRun } from './image-run.ts';
export { openImageProgram } from './program.ts';
export { KERNEL_LABEL, pickRootLayers } from './root.ts';
export type { ImageUser } from './users.ts';
