/** Images that hull links by itself, and remembers. */
export { findKernel, type ImageLinker, type KernelCache } from './kernels.ts';
