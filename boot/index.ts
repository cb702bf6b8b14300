/** boot: image + run options -> a running machine. */
export * from './abi/index.ts';
export * from './accel/index.ts';
export * from './console/index.ts';
export { BootError, type BootErrorCode } from './errors.ts';
export * from './qemu/index.ts';
