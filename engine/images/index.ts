/** Images that hull links by itself, and remembers. */
export { findKernel, findRootKernel, type ImageLinker, type KernelCache, type RootProgramKernel } from './kernels.ts';
