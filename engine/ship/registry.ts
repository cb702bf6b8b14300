/** pull, push, search, login and logout, as the engine offers them. Owns: which registry a name means here (settings, credentials). Loaded only when one is asked. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createHttpClient,
  type Credentials,
  eraseCredentials,
  findCredentials,
  type HttpClient,
  isInsecureHost,
  listBases,
  openRegistry,
  type Pulled,
  pullImage,
  pushImage,
  readSettings,
  type Registry,
  storeCredentials,
  searchRegistry,
  type SearchResult,
  type RegistryOptions,
  type TransferEvents,
} from '../../images/registry/index.ts';
import { parseReference, type Platform, readPlatform, type Reference, withDefaultTag } from '../../images/store/index.ts';
import { EngineError } from '../errors.ts';
import type { StatePaths } from '../state/index.ts';
import { openImages, resolveImage } from '../oci/index.ts';

export interface RegistryHost {
  readonly env: NodeJS.ProcessEnv;
  readonly dist: string;
}

function readVersion(dist: string): string {
  try {
    return (JSON.parse(readFileSync(join(dist, '..', 'package.json'), 'utf8')) as { version?: string }).version ?? '0';
  } catch {
    return '0';
  }
}

/** Seconds without any progress, from HULL_REGISTRY_TIMEOUT. */
function readStall(env: NodeJS.ProcessEnv): number | undefined {
  const text = env['HULL_REGISTRY_TIMEOUT'];
  if (text === undefined || text === '') return undefined;
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0) throw new EngineError('option-invalid', `Cannot use HULL_REGISTRY_TIMEOUT "${text}": no number of seconds, expected one such as 30`);
  return seconds * 1000;
}

interface Access {
  readonly reads: boolean;
  /** In place of those that are kept for the registry. */
  readonly credentials?: Credentials | undefined;
}

/** HTTP as this host reaches others: its proxies, its certificates, its patience. Whoever opens it closes it. `isInsecure`: of registries, those whose certificates are not looked at. */
export function openHttp(paths: StatePaths, host: RegistryHost, isInsecure?: (name: string) => boolean): HttpClient {
  const stall = readStall(host.env);
  return createHttpClient({
    ...(stall === undefined ? {} : { stall }),
    isInsecure: isInsecure ?? (() => false),
    peer: isInsecure === undefined ? 'server' : 'registry',
    certificates: readSettings(paths.root).certificates,
    userAgent: `hull/${readVersion(host.dist)}`,
    env: host.env,
  });
}

/** Does `action` with what reaches a registry from here. */
async function withConnection<T>(domain: string, paths: StatePaths, host: RegistryHost, { reads, credentials }: Access, action: (options: RegistryOptions) => Promise<T>): Promise<T> {
  const settings = readSettings(paths.root);
  const http = openHttp(paths, host, (name) => isInsecureHost(settings, name));
  try {
    return await action({ http, bases: listBases(settings, domain, reads), findCredentials: async (account) => (account === domain ? credentials : undefined) ?? findCredentials(account, host.env) });
  } finally {
    http.close();
  }
}

const withRegistry = <T>(reference: Reference, paths: StatePaths, host: RegistryHost, access: Access, action: (registry: Registry) => Promise<T>): Promise<T> =>
  withConnection(reference.domain, paths, host, access, (options) => action(openRegistry(reference, options)));

/** `platform` undefined: every platform of an index; several: the index with those. Credentials take the place of those that are kept. */
export function pullReference(name: string, platform: Platform | readonly Platform[] | undefined, paths: StatePaths, host: RegistryHost, events: TransferEvents, credentials?: Credentials): Promise<Pulled & { reference: Reference }> {
  const reference = withDefaultTag(parseReference(name));
  return withRegistry(reference, paths, host, { reads: true, credentials }, async (registry) => ({ ...(await pullImage(openImages(paths), registry, reference, platform, events)), reference }));
}

export async function pushReference(name: string, paths: StatePaths, host: RegistryHost, events: TransferEvents, credentials?: Credentials): Promise<{ digest: string; size: number; reference: Reference }> {
  const reference = withDefaultTag(parseReference(name));
  if (reference.digest !== undefined) throw new EngineError('option-invalid', `cannot push a digest reference: Cannot push "${name}": expected a name with a tag`);
  const store = openImages(paths);
  const entry = store.entries().find((each) => store.namesOf(each)?.canonical === reference.canonical);
  if (entry === undefined) throw new EngineError('image-missing', `An image does not exist locally with the tag: ${reference.familiar}`);
  return withRegistry(reference, paths, host, { reads: false, credentials }, async (registry) => ({ ...(await pushImage(store, registry, reference, entry, events)), reference }));
}

const loginReference = (domain: string): Reference => parseReference(`${domain === 'docker.io' ? '' : `${domain}/`}hull/login`);

/** Asks the registry whether it takes them. */
export async function checkLogin(domain: string, credentials: Credentials, paths: StatePaths, host: RegistryHost): Promise<void> {
  await withRegistry(loginReference(domain), paths, host, { reads: false, credentials }, (registry) => registry.checkLogin());
}

/** Checks them, then keeps them; where they are kept. */
export async function login(domain: string, credentials: Credentials, paths: StatePaths, host: RegistryHost): Promise<string> {
  await checkLogin(domain, credentials, paths, host);
  return storeCredentials(domain, credentials, host.env);
}

/** Docker's form: a term for Docker Hub, HOST/TERM for another registry; results have the names by which they can be pulled. */
export function searchImages(text: string, limit: number, paths: StatePaths, host: RegistryHost, credentials?: Credentials): Promise<SearchResult[]> {
  const [, server, rest] = /^([^/]*[.:][^/]*|localhost)\/(.*)$/.exec(text.replace(/^https?:\/\//, '')) ?? [];
  const domain = server === undefined || server === 'docker.io' || server === 'index.docker.io' ? 'docker.io' : server;
  return withConnection(domain, paths, host, { reads: true, credentials }, async (options) => {
    const found = await searchRegistry(domain, rest ?? text, limit, options);
    return domain === 'docker.io' ? found : found.map((each) => ({ ...each, name: `${domain}/${each.name}` }));
  });
}

/** Whether there was anything to forget. */
export const logout = (domain: string, host: RegistryHost): Promise<boolean> => eraseCredentials(domain, host.env);

/** The manifest or index that a registry has under a name, as it is there. */
export function fetchManifest(name: string, paths: StatePaths, host: RegistryHost, credentials?: Credentials): Promise<{ bytes: Buffer; digest: string }> {
  const reference = withDefaultTag(parseReference(name));
  return withRegistry(reference, paths, host, { reads: true, credentials }, async (registry) => {
    const { bytes, descriptor } = await registry.getManifest(reference.digest ?? (reference.tag as string));
    return { bytes, digest: descriptor.digest };
  });
}

/** The image, pulled when the store has not got it; `notice` gets Docker's lines about it. */
export async function ensureImage(name: string, platform: string | undefined, paths: StatePaths, host: RegistryHost, notice: (line: string) => void): Promise<void> {
  const store = openImages(paths);
  const wanted = readPlatform(platform);
  if (store.find(name, wanted) !== undefined) return;
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) resolveImage(store, name); // an ID: its error
  const shown = withDefaultTag(parseReference(name));
  notice(`Unable to find image '${shown.familiar}${shown.tag === undefined ? '' : `:${shown.tag}`}${shown.digest === undefined ? '' : `@${shown.digest}`}' locally`);
  const pulled = await pullReference(name, wanted, paths, host, { blob: () => {} });
  notice(`Digest: ${pulled.digest}`);
  notice(`Status: Downloaded newer image for ${shown.familiar}${shown.tag === undefined ? '' : `:${shown.tag}`}`);
}
