/** The door of compiler/inspect: what an image is made of, and why. */
export { inspectImage } from './inspect.ts';
export { renderReport } from './render.ts';
export type { AnalysisRecord, ImageReport } from './report.ts';
