/** Images as files that start without hull. Loaded only by hull export. */
export { EXPORT_FORMATS, exportArchive, type ExportFormat, exportImage } from './export.ts';
