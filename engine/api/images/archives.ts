/** Images in archives (Docker Engine API v1.47, ImageLoad, ImageGet). Owns: which images are meant. Rule: an archive is written as it is made, at the client's pace. */
import { loadImages, openImages, parseReference, resolveImage, saveImages } from '../../ship/index.ts';
import { ApiError } from '../error.ts';
import { openJsonStream, readSwitch, writeSlowly } from '../messages.ts';
import type { Exchange, Route } from '../route.ts';
import { familiarName } from './describe.ts';

async function load(exchange: Exchange): Promise<void> {
  const { context, request, query } = exchange;
  const store = openImages(context.paths);
  const stream = openJsonStream(exchange);
  try {
    const loaded = await loadImages(store, request);
    for (const { target, names } of readSwitch(query, 'quiet') && loaded.length === 0 ? [] : loaded) {
      const lines = names.length === 0 ? [`Loaded image ID: ${store.resolve(target.digest).id}`] : names.map(({ canonical }) => `Loaded image: ${familiarName(canonical)}`);
      for (const line of lines) await stream.send({ stream: `${line}\n` });
    }
    stream.end();
  } catch (error) {
    await stream.fail(error);
  }
}

/** An ID has no names; a name has itself, a repository all of its tags. */
async function save(exchange: Exchange, names: readonly string[]): Promise<void> {
  const { context, response, gone } = exchange;
  if (names.length === 0) throw new ApiError('parameter-invalid', 'no images were named: Cannot save images: expected names');
  const store = openImages(context.paths);
  const images = names.map((name) => {
    const image = resolveImage(store, name);
    const isId = /^(sha256:)?[0-9a-f]{6,64}$/.test(name) && !image.tags.some((tag) => familiarName(tag).startsWith(`${name}:`));
    return { image, names: isId ? [] : image.tags.filter((tag) => tag === parseReference(name).canonical || familiarName(tag) === name || familiarName(tag) === `${name}:latest`) };
  });
  response.writeHead(200, { 'Content-Type': 'application/x-tar' });
  for await (const bytes of saveImages(store, images)) {
    await writeSlowly(response, bytes, gone);
    if (gone.aborted) return;
  }
  response.end();
}

export function listArchiveRoutes(): Route[] {
  return [
    { method: 'POST', path: '/images/load', summary: 'load an archive of docker save, or of an OCI layout', support: 'full', handle: load },
    { method: 'GET', path: '/images/get', summary: 'an archive of several images', support: 'full', handle: (exchange) => save(exchange, exchange.query.getAll('names').flatMap((each) => each.split(','))) },
    { method: 'GET', path: '/images/{name:path}/get', summary: 'an archive of an image', support: 'full', handle: (exchange) => save(exchange, [exchange.params['name'] as string]) },
  ];
}
