/** images/archive: images in tar archives. */
export { type ImportRequest, importImage } from './import.ts';
export { type LoadedImage, loadImages } from './load.ts';
export { saveImages } from './save.ts';
