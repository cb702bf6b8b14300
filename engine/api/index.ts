/** engine/api: the Docker Engine API over engine's functions. Loaded only by `hull engine`, and by the generator of docs/engine-api.md. */
export type { Route, Support } from './route.ts';
export { type ApiService, listRoutes, serveApi, type ServeOptions } from './serve.ts';
export { listFields } from './containers/body.ts';
export { API_VERSION, LEAST_API_VERSION } from './versions.ts';
