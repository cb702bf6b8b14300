/** Images as people handle them: pull, push, login, lists, checks, archives. Loaded only by the verbs that do that, and by a run whose image is not here. */
export { importImage, loadImages, saveImages } from '../../images/archive/index.ts';
export { checkStore, type Image, readPlatform, formatReference, parseReference, type Store, type StoreReport, withDefaultTag } from '../../images/store/index.ts';
export type { SearchResult, TransferEvents } from '../../images/registry/index.ts';
export { describeHistory, describeImage, sizeOfImage } from './describe.ts';
export { checkLogin, ensureImage, fetchManifest, login, logout, openHttp, pullReference, pushReference, searchImages } from './registry.ts';
export { selectResults } from './search.ts';
export { listUsedImages } from './used.ts';
export { openImages, resolveImage } from '../oci/index.ts';
