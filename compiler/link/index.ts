/** The door of compiler/link. */
export { LinkError, type LinkErrorCode } from './error.ts';
export { linkExecutable } from './link-executable.ts';
export { linkImage } from './link-image.ts';
export type {
  ComponentInput,
  ComponentManifest,
  ComponentUse,
  ImageManifest,
  LinkExecutableRequest,
  LinkImageRequest,
  LinkInput,
  LinkResult,
  Machine,
  SectionUse,
} from './request.ts';
