/** Images that hull links by itself, and remembers. */
export { findKernel, findRootKernel, type ImageLinker, type KernelCache, type ReadyKernel, type RootProgramKernel } from './kernels.ts';
