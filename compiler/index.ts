/** The door of the compiler: programs in, bootable images out, and images explained. */
export {
  type Analysis,
  analyzeClosure,
  type Closure,
  type Executable,
  mergeSummaries,
  type ObjectSummary,
  type RootFiles,
  type Summarizer,
  summarizeObject,
} from './analyze/index.ts';
export {
  type BuildImageRequest,
  type BuiltImage,
  buildImage,
  buildRootImage,
  type ImageOptions,
  type LinkProgramRequest,
  linkProgram,
  listRootComponents,
  type RootImageRequest,
} from './build-image.ts';
export { CompilerError, type CompilerErrorCode } from './error.ts';
export { type AnalysisRecord, type ImageReport, inspectImage, renderReport } from './inspect/index.ts';
