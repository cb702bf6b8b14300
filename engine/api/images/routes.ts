/** Images (Docker Engine API v1.47, "Image" and "Distribution"). Owns: what is asked of the store and of registries, and the form of the answers. */
import { type Image, parseReference, type Platform, readPlatform, type Reference, withDefaultTag, withTag } from '../../../images/store/index.ts';
import { EngineError } from '../../errors.ts';
import { recordEvent } from '../../instances/index.ts';
import { describeHistory, describeImage, fetchManifest, importImage, listUsedImages, openImages, pullReference, pushReference, resolveImage, searchImages, selectResults, type Store } from '../../ship/index.ts';
import { readRegistryAuth } from '../credentials.ts';
import { ApiError } from '../error.ts';
import { readPast } from '../moments.ts';
import { openJsonStream, readFilters, readSwitch, sendJson, sendStatus } from '../messages.ts';
import { matchLabels } from '../../labels.ts';
import type { Exchange, Route } from '../route.ts';
import { describeListedImage, familiarName } from './describe.ts';
import { reportTransfer } from './progress.ts';

const storeOf = ({ context }: Exchange): Store => openImages(context.paths);
const nameOf = ({ params }: Exchange) => params['name'] as string;
const find = (exchange: Exchange): Image => resolveImage(storeOf(exchange), nameOf(exchange));

function record({ context }: Exchange, action: string, id: string, name: string): void {
  recordEvent(context.paths.events, 'image', action, id, { name });
}

/** "*" and "?" as a shell has them; "*" does not go over "/". */
const toPattern = (text: string) => new RegExp(`^${text.replace(/[.+^${}()|\\[\]]/g, '\\$&').replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`);

const matchReference = (tag: string, patterns: readonly string[]) => patterns.some((each) => toPattern(each).test(tag) || toPattern(each).test(tag.slice(0, tag.lastIndexOf(':'))));

const FILTERS: readonly string[] = ['dangling', 'label', 'before', 'since', 'until', 'reference'];

function makeImageFilter(exchange: Exchange): (image: Image) => boolean {
  const filters = readFilters(exchange.query);
  for (const name of filters.keys()) if (!FILTERS.includes(name)) throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
  const createdOf = (name: string) => Date.parse(resolveImage(storeOf(exchange), name).config.created ?? '');
  return (image) =>
    [...filters].every(([name, values]) => {
      const [first = ''] = values;
      const created = Date.parse(image.config.created ?? '1970-01-01T00:00:00Z');
      switch (name) {
        case 'dangling':
          return (image.tags.length === 0) === ['true', '1'].includes(first);
        case 'label':
          return matchLabels(image.config.config?.Labels ?? {}, values);
        case 'before':
          return created < createdOf(first);
        case 'since':
          return created > createdOf(first);
        case 'until':
          return created < (/^\d+$/.test(first) ? Number(first) * 1000 : Date.parse(first));
        default:
          return image.tags.some((each) => matchReference(familiarName(each), values));
      }
    });
}

function list(exchange: Exchange): void {
  const filter = makeImageFilter(exchange);
  const seen = new Set<string>();
  const images = storeOf(exchange)
    .list()
    .filter((image) => !seen.has(image.id) && seen.add(image.id))
    .filter(filter)
    .sort((a, b) => (b.config.created ?? '').localeCompare(a.config.created ?? ''));
  const patterns = readFilters(exchange.query).get('reference');
  // Of an image with several names those that were asked for.
  const listed = images.map(describeListedImage).map((each) => (patterns === undefined ? each : { ...each, RepoTags: each.RepoTags.filter((tag) => matchReference(tag, patterns)) }));
  sendJson(exchange, listed);
}

function history(exchange: Exchange): void {
  const image = find(exchange);
  const lines = describeHistory(image).map(({ id, created, createdBy, size, comment }, i) => ({
    Id: id,
    Created: created === '' ? 0 : Math.floor(Date.parse(created) / 1000),
    CreatedBy: createdBy,
    Tags: i === 0 && image.tags.length > 0 ? image.tags.map(familiarName) : null,
    Size: size,
    Comment: comment,
  }));
  sendJson(exchange, lines);
}

async function tag(exchange: Exchange): Promise<void> {
  const image = find(exchange);
  const repo = exchange.query.get('repo') ?? '';
  const reference = parseReference(repo);
  if (reference.digest !== undefined) throw new ApiError('parameter-invalid', 'refusing to create a tag with a digest reference');
  const tagged = withTagOf(reference, exchange.query.get('tag'));
  await storeOf(exchange).tag(image.target, [tagged]);
  record(exchange, 'tag', image.id, familiarName(tagged.canonical));
  sendStatus(exchange, 201);
}

const withTagOf = (reference: Reference, text: string | null): Reference => {
  if (text === null || text === '') return withDefaultTag(reference);
  return /^sha256:/.test(text) ? parseReference(`${reference.familiar}@${text}`) : withTag(reference, text);
};

const shortId = (id: string) => id.replace(/^sha256:/, '').slice(0, 12);

async function remove(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const store = storeOf(exchange);
  const image = find(exchange);
  const force = readSwitch(query, 'force');
  const names = image.tags.length + image.digests.length;
  const by = names > 1 && image.tags.length > 1 ? [] : ((await listUsedImages(context.paths)).get(image.id) ?? []);
  const running = by.find((each) => each.startsWith('running'));
  if (running !== undefined) throw new EngineError('image-in-use', `conflict: unable to delete ${nameOf(exchange)} (cannot be forced) - image is being used by ${running}`);
  if (by[0] !== undefined && !force) throw new EngineError('image-in-use', `conflict: unable to remove repository reference "${nameOf(exchange)}" (must force) - ${by[0]} is using its referenced image ${shortId(image.id)}`);
  const removed = await store.remove(nameOf(exchange), { force });
  const isGone = !store.list().some(({ id }) => id === image.id);
  for (const name of removed.untagged) record(exchange, 'untag', image.id, familiarName(name));
  if (isGone) record(exchange, 'delete', image.id, image.id);
  sendJson(exchange, [...removed.untagged.map((name) => ({ Untagged: familiarName(name) })), ...(isGone ? [{ Deleted: image.id }, ...removed.deleted.filter((digest) => digest !== image.id).map((digest) => ({ Deleted: digest }))] : [])]);
}

async function prune(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const filters = readFilters(exchange.query);
  const dangling = filters.get('dangling')?.[0];
  for (const name of filters.keys()) if (!['dangling', 'label', 'label!', 'until'].includes(name)) throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
  const before = filters.get('until')?.[0] === undefined ? Number.POSITIVE_INFINITY : readPast(filters.get('until')?.[0] as string);
  const meets = ({ config }: Image) => {
    const labels = config.config?.Labels ?? {};
    return Date.parse(config.created ?? '1970-01-01T00:00:00Z') < before && matchLabels(labels, filters.get('label') ?? []) && (filters.get('label!') ?? []).every((each) => !matchLabels(labels, [each]));
  };
  const used = await listUsedImages(context.paths);
  const { untagged, deleted, reclaimed } = await storeOf(exchange).prune({ all: dangling === 'false' || dangling === '0', isUsed: (image) => used.has(image.id) || !meets(image) });
  const gone = [...untagged.map((name) => ({ Untagged: familiarName(name) })), ...deleted.map((digest) => ({ Deleted: digest }))];
  sendJson(exchange, { ImagesDeleted: gone.length === 0 ? null : gone, SpaceReclaimed: reclaimed });
}

async function create(exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const fromImage = query.get('fromImage') ?? '';
  if (fromImage !== '') return await pull(exchange, fromImage);
  await importArchive(exchange);
}

/** The older form of a platform that is no JSON: "linux/amd64". */
async function pull(exchange: Exchange, name: string): Promise<void> {
  const { context, query } = exchange;
  const reference = withTagOf(parseReference(name), query.get('tag'));
  const platform = readPlatform(query.get('platform') || undefined);
  const credentials = readRegistryAuth(exchange);
  const stream = openJsonStream(exchange);
  try {
    const familiar = familiarName(reference.canonical);
    await stream.send({ status: `Pulling from ${reference.path}`, id: reference.tag ?? reference.digest });
    const pulled = await pullReference(familiar, platform, context.paths, context.host, reportTransfer('pull', stream), credentials);
    await stream.send({ status: `Digest: ${pulled.digest}` });
    await stream.send({ status: `Status: ${pulled.isNew ? 'Downloaded newer image' : 'Image is up to date'} for ${familiar}` });
    record(exchange, 'pull', familiar, familiar);
    stream.end();
  } catch (error) {
    await stream.fail(error);
  }
}

async function importArchive(exchange: Exchange): Promise<void> {
  const { query, request } = exchange;
  const from = query.get('fromSrc') ?? '';
  if (from !== '-') throw new ApiError('feature-absent', `Cannot import "${from}": the engine fetches no archives, expected the archive in the request ("-")`);
  if ((query.getAll('changes').join('') ?? '') !== '') throw new ApiError('feature-absent', 'Cannot import with changes: hull has none for imports, expected a Dockerfile on top of the image');
  const repo = query.get('repo') ?? '';
  const name = repo === '' ? undefined : withTagOf(parseReference(repo), query.get('tag'));
  const stream = openJsonStream(exchange);
  try {
    const store = storeOf(exchange);
    const platform = readPlatform(query.get('platform') || undefined);
    const target = await importImage(store, request, { names: name === undefined ? [] : [name], platform, message: query.get('message') || 'Imported from -', created: new Date() });
    const { id } = store.selectImage(target, repo, platform);
    record(exchange, 'import', id, name === undefined ? id : familiarName(name.canonical));
    await stream.send({ status: id });
    stream.end();
  } catch (error) {
    await stream.fail(error);
  }
}

/** The form of 1.46: {"os": "linux", "architecture": "amd64"}. A name is pushed whole; of a name that has one platform that is the same. */
function checkPushed(store: Store, reference: Reference, asked: string | null): void {
  const found = store.find(reference.canonical);
  if (found === undefined) throw new EngineError('image-missing', `An image does not exist locally with the tag: ${reference.familiar}`);
  if (asked === null || asked === '') return;
  let platform: Partial<Platform>;
  try {
    platform = JSON.parse(asked) as Partial<Platform>;
  } catch {
    throw new ApiError('parameter-invalid', `invalid platform: Cannot read "${asked.slice(0, 80)}": expected a JSON object`);
  }
  const text = `${platform.os ?? ''}/${platform.architecture ?? ''}`;
  if (found.target.digest !== found.descriptor.digest || `${found.config.os}/${found.config.architecture}` !== text) {
    throw new ApiError('platform-missing', `Cannot push "${reference.familiar}" for ${text} alone: what has this name is pushed whole, expected an image for that platform only`);
  }
}

/** What a push without a tag means: all of the repository's. */
function findTags(store: Store, { domain, path }: Reference): Reference[] {
  const names = store.list().flatMap(({ tags }) => tags.map((tag) => parseReference(tag)));
  return [...new Map(names.filter((each) => each.domain === domain && each.path === path).map((each) => [each.canonical, each])).values()];
}

async function push(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const store = storeOf(exchange);
  const base = parseReference(nameOf(exchange));
  const tag = query.get('tag');
  const areAll = (tag === null || tag === '') && base.tag === undefined && base.digest === undefined;
  const references = areAll ? findTags(store, base) : [withTagOf(base, tag)];
  const credentials = readRegistryAuth(exchange);
  const stream = openJsonStream(exchange);
  try {
    if (references.length === 0) throw new EngineError('image-missing', `An image does not exist locally with the tag: ${base.familiar}`);
    for (const reference of references) checkPushed(store, reference, query.get('platform'));
    await stream.send({ status: `The push refers to repository [${base.domain}/${base.path}]` });
    for (const reference of references) {
      const { digest, size } = await pushReference(familiarName(reference.canonical), context.paths, context.host, reportTransfer('push', stream), credentials);
      await stream.send({ status: `${reference.tag}: digest: ${digest} size: ${size}` });
      await stream.send({ progressDetail: {}, aux: { Tag: reference.tag, Digest: digest, Size: size } });
      record(exchange, 'push', reference.familiar, reference.familiar);
    }
    stream.end();
  } catch (error) {
    await stream.fail(error);
  }
}

async function search(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const term = query.get('term') ?? '';
  if (term === '') throw new ApiError('parameter-invalid', 'search term is missing: Cannot search: expected term');
  const filters = [...readFilters(query)].flatMap(([name, values]) => values.map((value) => [name, value] as const));
  const found = await searchImages(term, Number(query.get('limit') ?? '') || 25, context.paths, context.host, readRegistryAuth(exchange));
  sendJson(
    exchange,
    selectResults(found, filters).map(({ name, description, stars, isOfficial, isAutomated }) => ({ name, description, star_count: stars, is_official: isOfficial, is_automated: isAutomated })),
  );
}

async function distribution(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const { bytes, digest } = await fetchManifest(nameOf(exchange), context.paths, context.host, readRegistryAuth(exchange));
  const manifest = JSON.parse(bytes.toString()) as { mediaType?: string; manifests?: { platform?: object }[] };
  sendJson(exchange, {
    Descriptor: { mediaType: manifest.mediaType ?? 'application/vnd.oci.image.manifest.v1+json', digest, size: bytes.length },
    Platforms: (manifest.manifests ?? []).flatMap(({ platform }) => (platform === undefined ? [] : [platform])),
  });
}

export function listImageRoutes(): Route[] {
  return [
    { method: 'GET', path: '/images/json', summary: 'list images', support: 'full', handle: list },
    { method: 'POST', path: '/images/create', summary: 'pull, or import an archive', support: 'partial', lacks: 'fromSrc other than "-", changes', handle: create },
    { method: 'POST', path: '/images/prune', summary: 'remove images', support: 'full', handle: prune },
    { method: 'GET', path: '/images/search', summary: 'search a registry', support: 'full', handle: search },
    { method: 'GET', path: '/images/{name:path}/json', summary: 'inspect an image', support: 'full', handle: (exchange) => sendJson(exchange, describeImage(find(exchange))) },
    { method: 'GET', path: '/images/{name:path}/history', summary: 'how an image came about', support: 'full', handle: history },
    { method: 'POST', path: '/images/{name:path}/tag', summary: 'give a further name', support: 'full', handle: tag },
    { method: 'POST', path: '/images/{name:path}/push', summary: 'push, with X-Registry-Auth or the credentials of the user who runs the engine', support: 'full', handle: push },
    { method: 'DELETE', path: '/images/{name:path}', summary: 'remove an image', support: 'partial', lacks: 'noprune', handle: remove },
    { method: 'GET', path: '/distribution/{name:path}/json', summary: "a registry's manifest of an image", support: 'full', handle: distribution },
  ];
}
