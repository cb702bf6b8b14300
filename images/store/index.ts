/** images/store: the OCI image layout that holds images, and the names that they have. */
export { digestOf } from './blobs.ts';
export { checkStore, type StoreProblem, type StoreReport } from './check.ts';
export type { Lease } from './claims.ts';
export { StoreError, type StoreErrorCode } from './error.ts';
export { KERNEL, KERNEL_FOLDER, KERNEL_PATH, withoutKernel, withoutKernelLabels } from './kernel.ts';
export {
  computeChainId,
  type ContainerConfig,
  type Descriptor,
  DIGEST,
  formatPlatform,
  type HistoryEntry,
  type ImageConfig,
  type ImageIndex,
  isIndexType,
  isLayerType,
  isManifestType,
  type Manifest,
  matchesPlatform,
  MEDIA,
  parseConfig,
  parseIndex,
  parseManifest,
  parsePlatform,
  type Platform,
  readPlatform,
  REF_NAME,
  HOST_PLATFORM,
} from './oci.ts';
export { formatReference, parseReference, readRefName, type Reference, withDefaultTag, withDigest, withTag } from './reference.ts';
export { type Image, type NewImage, openStore, type Removal, type Store } from './store.ts';
export { readProcessStart } from './process.ts';
