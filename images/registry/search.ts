/**
 * Which images a registry has. Owns: the two ways to ask. Docker Hub, and registries that can, answer searches as the first Docker registry did (GET /v1/search); of others the
 * catalog of the distribution specification's implementations (GET /v2/_catalog) is read, and names that have the term in them are the answer.
 */
import { openConnection, readNext, type RegistryOptions } from './connection.ts';
import { RegistryError } from './error.ts';
import { readBody } from './http.ts';

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

const HUB = new URL('https://index.docker.io/');
const MOST_PAGES = 1000;

function parseResults(bytes: Buffer): SearchResult[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  const list = (value as { results?: unknown } | null)?.results;
  if (!Array.isArray(list)) return undefined;
  return (list as Readonly<Record<string, unknown>>[]).flatMap((each) =>
    typeof each?.['name'] !== 'string'
      ? []
      : [{ name: each['name'], description: String(each['description'] ?? ''), stars: Number(each['star_count'] ?? 0), isOfficial: each['is_official'] === true, isAutomated: each['is_automated'] === true }],
  );
}

function parseCatalog(bytes: Buffer): string[] | undefined {
  try {
    const { repositories } = JSON.parse(bytes.toString()) as { repositories?: unknown };
    if (Array.isArray(repositories)) return repositories.filter((each): each is string => typeof each === 'string');
  } catch {
    // said by the caller
  }
  return undefined;
}

/** Best first, at most `limit`. */
export async function searchRegistry(domain: string, term: string, limit: number, options: RegistryOptions): Promise<SearchResult[]> {
  const path = `v1/search?${new URLSearchParams({ q: term, n: String(limit) }).toString()}`;
  if (domain === 'docker.io') {
    const response = await options.http.send({ method: 'GET', url: new URL(path, HUB) });
    const found = parseResults(await readBody(response));
    if (response.status !== 200 || found === undefined) throw new RegistryError('registry-refused', `Cannot search "${HUB.host}": HTTP status ${response.status}, expected a list of images`);
    return found.slice(0, limit);
  }
  const connection = openConnection(domain, domain, options);
  await connection.findBase();
  const first = await connection.sendPatiently(() => ({ method: 'GET', url: connection.at(path) }), '');
  const answer = await readBody(first);
  const found = first.status === 200 ? parseResults(answer) : undefined;
  if (found !== undefined) return found.slice(0, limit);

  const names: string[] = [];
  let page: URL | undefined = connection.at('v2/_catalog?n=1000');
  for (let pages = 0; page !== undefined && pages < MOST_PAGES && names.length < limit; pages++) {
    const url: URL = page;
    const response = await connection.sendPatiently(() => ({ method: 'GET', url }), 'registry:catalog:*');
    const bytes = await readBody(response);
    const listed = response.status === 200 ? parseCatalog(bytes) : undefined;
    if (listed === undefined) throw connection.refusal(response, bytes, `search "${domain}": it has neither /v1/search nor a catalog that we may read`);
    names.push(...listed.filter((name) => name.includes(term)));
    page = readNext(response);
  }
  return names.slice(0, limit).map((name) => ({ name, description: '', stars: 0, isOfficial: false, isAutomated: false }));
}
