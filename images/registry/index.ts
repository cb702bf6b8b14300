/** images/registry: images to and from registries. */
export { openRegistry, type Registry } from './client.ts';
export type { RegistryOptions } from './connection.ts';
export { type Credentials, eraseCredentials, findCredentials, keyOf, storeCredentials } from './credentials.ts';
export { RegistryError, type RegistryErrorCode } from './error.ts';
export { isInsecureHost, listBases, readSettings, type RegistrySettings } from './hosts.ts';
export { createHttpClient, type HttpClient } from './http.ts';
export { searchRegistry, type SearchResult } from './search.ts';
export { pullImage, type Pulled, pushImage, type TransferEvents, type TransferState } from './transfer.ts';
