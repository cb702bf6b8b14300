/** Builds of Dockerfiles. Loaded only by hull build. */
export { buildDockerfile, type BuildStreams } from './build.ts';
export type { BuildRequest } from './request.ts';
