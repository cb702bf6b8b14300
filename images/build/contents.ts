/**
 * The bytes of files, wherever they are. Owns: reading and digesting content. Rules: content of a layer is fetched in one pass for all files that are
 * wanted of it, before the first is read; a file of the host is read when its turn comes, and one that changes meanwhile fails the build.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BuildError } from './error.ts';
import type { LayerCache, Spooled } from './layer-cache.ts';
import type { Node } from './tree.ts';

export type Spools = ReadonlyMap<string, ReadonlyMap<string, Spooled>>;

const CHUNK = 1 << 18;

async function* readPart(file: string | Buffer, offset: number, size: number): AsyncGenerator<Buffer> {
  if (size === 0) return;
  try {
    yield* createReadStream(file, { start: offset, end: offset + size - 1, highWaterMark: CHUNK }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new BuildError('context-invalid', `Cannot read "${file}": ${(error as Error).message}, expected a readable file`, { cause: error });
  }
}

/** The bytes of a file; of one in a layer only when `spools` has it. */
export function readContent(node: Node, spools: Spools): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  const { content, size } = node;
  if (content === undefined) return [];
  if (content.kind === 'bytes') return [content.bytes];
  if (content.kind === 'part') return readPart(content.file, content.offset, size);
  if (content.kind === 'host') return readPart(content.path, 0, size);
  const spooled = spools.get(content.diffId)?.get(content.path);
  if (spooled === undefined) throw new BuildError('cache-unwritable', `Cannot read "${content.path}": its layer has no such file any more, expected the build cache to stay as it is: build again`);
  return readPart(spooled.file, spooled.offset, spooled.size);
}

/** Brings the contents that lie in layers to where they can be read. */
export async function fetchContents(nodes: Iterable<Node>, cache: LayerCache): Promise<Spools> {
  const wanted = new Map<string, Set<string>>();
  for (const { content } of nodes) {
    if (content?.kind !== 'layer') continue;
    const paths = wanted.get(content.diffId) ?? new Set();
    wanted.set(content.diffId, paths.add(content.path));
  }
  const spools = new Map<string, ReadonlyMap<string, Spooled>>();
  for (const [diffId, paths] of wanted) spools.set(diffId, await cache.spool(diffId, paths));
  return spools;
}

/** SHA-256 of a file's bytes. Nodes of layers know theirs. */
export async function digestContent(node: Node): Promise<string> {
  if (node.digest !== undefined) return node.digest;
  const hash = createHash('sha256');
  for await (const chunk of readContent(node, new Map())) hash.update(chunk);
  node.digest = hash.digest('hex');
  return node.digest;
}

/** A small file as text: /etc/passwd and the like. */
export async function readText(node: Node | undefined, cache: LayerCache): Promise<string> {
  if (node?.kind !== 'file') return '';
  const known = node.digest === undefined ? undefined : cache.readText(node.digest);
  if (known !== undefined) return known;
  const parts: Uint8Array[] = [];
  for await (const chunk of readContent(node, await fetchContents([node], cache))) parts.push(chunk);
  const text = Buffer.concat(parts).toString('utf8');
  if (node.digest !== undefined) cache.saveText(node.digest, text);
  return text;
}
