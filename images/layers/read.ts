/**
 * A layer -> its entries. Owns: what tar headers mean together (pax and GNU extensions, sparse files), whiteouts, and what is refused. Rules: one pass, one entry
 * at a time, content as a stream; a path never leads out of the root by its own parts (through links: see tree.ts); limits on everything that
 * the archive may claim. pax headers hold bytes (xattrs are binary), which is why this is not tar-stream: docs/decisions/own-tar-codec.md.
 *
 * Whiteouts are the OCI layer format's: ".wh.NAME" is NAME's removal, ".wh..wh..opq" empties its directory; other ".wh..wh." names are AUFS's own and left out.
 */
import { ByteReader } from './byte-reader.ts';
import { decompress } from './compression.ts';
import type { LayerEntry, LayerEntryKind, ReadEntry } from './entry.ts';
import { LayerError } from './error.ts';
import { decodeName } from './names.ts';
import { BLOCK, isZero, parseHeader, parsePax, parseSparse, type TarHeader } from './tar-header.ts';

export interface ReadLimits {
  /** Uncompressed bytes, holes of sparse files counted as bytes. */
  readonly bytes: number;
  readonly entries: number;
}

export const DEFAULT_LIMITS: ReadLimits = { bytes: 64 * 2 ** 30, entries: 4_000_000 };

/** An archive may be this many times its compressed size; below the floor it may be anything. */
const MOST_RATIO = 200;
const FLOOR = 4 * 2 ** 30;

/** What something of that size, compressed, may unpack to, bytes. */
export const limitFor = (size: number, floor = FLOOR): number => Math.min(DEFAULT_LIMITS.bytes, Math.max(floor, size * MOST_RATIO));

export interface ReadOptions {
  readonly limits?: ReadLimits;
  /** Bytes below which it may be any number of times its compressed size (default 4 GiB). */
  readonly floor?: number;
  /** Plain archives (ADD, import) may have absolute paths, and ".wh." is no whiteout there. */
  readonly isPlain?: boolean;
}

const MOST_EXTENSION = 8 * 2 ** 20;
const MOST_PATH = 4096;
const MOST_SPARSE = 1_000_000;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

const KINDS: Record<string, LayerEntryKind> = { '0': 'file', '7': 'file', S: 'file', '1': 'hardlink', '2': 'symlink', '3': 'character', '4': 'block', '5': 'directory', '6': 'fifo' };

const invalid = (what: string) => new LayerError('layer-invalid', `Cannot read "the layer": ${what}, expected a tar archive`);

/** Relative, without "." and doubled slashes. */
export function normalizePath(text: string, isPlain: boolean, what: string): string {
  if (text.length > MOST_PATH) throw invalid(`a path of ${text.length} characters`);
  if (text.startsWith('/') && !isPlain) throw new LayerError('layer-escapes', `Cannot use "${text}" as ${what}: an absolute path, expected one within the root file system`);
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new LayerError('layer-escapes', `Cannot use "${text}" as ${what}: it has "..", expected a path within the root file system`);
  const long = parts.find((part) => Buffer.byteLength(part) > 255);
  if (long !== undefined) throw invalid(`a file name of ${Buffer.byteLength(long)} bytes`);
  return parts.join('/');
}

/** "1234.5678" in ns. */
function parseTime(text: string): bigint {
  const [, sign, seconds, fraction] = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text) ?? [];
  if (seconds === undefined) throw invalid(`a time "${text}"`);
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt((fraction ?? '').padEnd(9, '0').slice(0, 9));
  return sign === '-' ? -ns : ns;
}

function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw invalid(`a number "${text}"`);
  return value;
}

type SparseMap = [offset: number, size: number][];

interface Extensions {
  readonly records: Map<string, Buffer>;
  readonly sparse: SparseMap;
  name?: Buffer;
  linkname?: Buffer;
}

/** Plain reading of a tar archive that is not compressed. */
export async function* readTar(source: AsyncIterable<Uint8Array>, options: ReadOptions = {}): AsyncGenerator<ReadEntry, void, undefined> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const isPlain = options.isPlain === true;
  const reader = new ByteReader(countBytes(source, limits));
  const globals = new Map<string, Buffer>();
  let extensions: Extensions = { records: new Map(), sparse: [] };
  let count = 0;
  let holes = 0;
  try {
    for (;;) {
      const block = await reader.read(BLOCK);
      if (block.length === 0) break;
      if (block.length < BLOCK) throw invalid('it is cut off');
      if (isZero(block)) break;
      const header = parseHeader(block);
      if (header.size < 0) throw invalid('a negative size');
      if ('xgXLK'.includes(header.type)) {
        await readExtension(reader, header, extensions, globals);
        continue;
      }
      if (header.type === 'V' || header.type === 'D' || header.type === 'M') {
        await skipContent(reader, header.size + padding(header.size));
        extensions = { records: new Map(), sparse: [] };
        continue;
      }
      if (++count > limits.entries) throw new LayerError('layer-too-large', `Cannot read "the layer": more than ${limits.entries} entries, expected fewer`);
      const { entry, stored, map } = await interpret(reader, block, header, extensions, globals, isPlain);
      extensions = { records: new Map(), sparse: [] };
      holes += Math.max(0, entry.size - stored);
      if (reader.taken + holes > limits.bytes) throw tooLarge(limits);
      let left = stored;
      const readStored = async function* (): AsyncGenerator<Buffer, void, undefined> {
        while (left > 0) {
          const part = await reader.readSome(left);
          if (part === undefined) throw invalid('it is cut off');
          left -= part.length;
          yield part;
        }
      };
      const translated = isPlain ? entry : translateWhiteout(entry);
      if (translated !== undefined) yield { ...translated, content: () => (map === undefined ? readStored() : expand(readStored(), map, entry.size)) };
      await skipContent(reader, left + padding(stored));
    }
    // The padding behind the end counts for digests and checksums.
    while ((await reader.readSome(1 << 20)) !== undefined);
  } finally {
    await reader.close();
  }
}

/** A layer's entries, whatever its compression. Without `limits` it may grow as what was read of it allows. */
export function readLayer(source: AsyncIterable<Uint8Array>, options: ReadOptions = {}): AsyncGenerator<ReadEntry, void, undefined> {
  let packed = 0;
  async function* count(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      packed += chunk.length;
      yield chunk;
    }
  }
  const growing: ReadLimits = {
    entries: DEFAULT_LIMITS.entries,
    get bytes() {
      return limitFor(packed, options.floor);
    },
  };
  return readTar(decompress(count()), { limits: growing, ...options });
}

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

const tooLarge = ({ bytes }: ReadLimits) =>
  new LayerError('layer-too-large', `Cannot read "the layer": more than ${bytes} bytes when unpacked, expected at most that, or ${MOST_RATIO} times what it is compressed to (for hull run HULL_LAYER_LIMIT sets another limit)`);

async function* countBytes(source: AsyncIterable<Uint8Array>, limits: ReadLimits): AsyncGenerator<Uint8Array, void, undefined> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    if (total > limits.bytes) throw tooLarge(limits);
    yield chunk;
  }
}

async function skipContent(reader: ByteReader, size: number): Promise<void> {
  if ((await reader.skip(size)) !== size) throw invalid('it is cut off');
}

async function readExtension(reader: ByteReader, header: TarHeader, extensions: Extensions, globals: Map<string, Buffer>): Promise<void> {
  if (header.size > MOST_EXTENSION) throw new LayerError('layer-too-large', `Cannot read "the layer": a header of ${header.size} bytes, expected at most ${MOST_EXTENSION}`);
  const body = Buffer.from(await reader.read(header.size));
  if (body.length < header.size) throw invalid('it is cut off');
  await skipContent(reader, padding(header.size));
  const text = () => {
    const end = body.indexOf(0);
    return end < 0 ? body : body.subarray(0, end);
  };
  if (header.type === 'L') extensions.name = text();
  else if (header.type === 'K') extensions.linkname = text();
  else if (header.type === 'g') for (const [key, value] of parsePax(body)) globals.set(key, value);
  else {
    for (const [key, value] of parsePax(body)) {
      // Format 0.0 repeats offset and numbytes for each piece.
      if (key === 'GNU.sparse.offset') extensions.sparse.push([parseCount(value.toString()), 0]);
      else if (key === 'GNU.sparse.numbytes') (extensions.sparse.at(-1) ?? [0, 0])[1] = parseCount(value.toString());
      else extensions.records.set(key, value);
    }
  }
}

interface Interpreted {
  readonly entry: LayerEntry;
  /** Bytes of content in the archive. */
  readonly stored: number;
  readonly map: SparseMap | undefined;
}

async function interpret(reader: ByteReader, block: Buffer, header: TarHeader, extensions: Extensions, globals: Map<string, Buffer>, isPlain: boolean): Promise<Interpreted> {
  const get = (key: string) => {
    const value = extensions.records.get(key) ?? globals.get(key);
    return value === undefined || value.length === 0 ? undefined : value;
  };
  const text = (key: string) => get(key)?.toString();
  const rawName = get('GNU.sparse.name') ?? get('path') ?? extensions.name ?? header.name;
  const name = decodeName(rawName);
  const kind = header.type === '0' && name.endsWith('/') ? 'directory' : KINDS[header.type];
  if (kind === undefined) throw new LayerError('layer-unsupported', `Cannot read "the layer": "${name}" is of type "${header.type}", expected a type that tar archives of Linux files have`);
  const path = normalizePath(name, isPlain, 'a path in a layer');
  if (name.includes('\0')) throw invalid('a path with a zero byte');
  const paxSize = text('size');
  let stored = paxSize === undefined ? header.size : parseCount(paxSize);
  if (kind !== 'file') stored = kind === 'hardlink' || paxSize !== undefined ? stored : header.size;
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of [...globals, ...extensions.records]) if (key.startsWith('SCHILY.xattr.')) xattrs.set(key.slice('SCHILY.xattr.'.length), Buffer.from(value));

  // Sparse files: old GNU in the header, pax 0.0 and 0.1 in records, pax 1.0 before the content.
  let map: SparseMap | undefined;
  let size = kind === 'file' ? stored : 0;
  const realSize = text('GNU.sparse.realsize') ?? text('GNU.sparse.size');
  if (header.type === 'S') {
    const first = parseSparse(block, false);
    map = first.map;
    size = first.realSize;
    for (let isMore = first.isMore; isMore; ) {
      const next = await reader.read(BLOCK);
      if (next.length < BLOCK) throw invalid('it is cut off');
      const more = parseSparse(next, true);
      map.push(...more.map);
      if (map.length > MOST_SPARSE) throw new LayerError('layer-too-large', `Cannot read "the layer": "${path}" has more than ${MOST_SPARSE} pieces, expected fewer`);
      isMore = more.isMore;
    }
  } else if (kind === 'file' && realSize !== undefined) {
    size = parseCount(realSize);
    const listed = text('GNU.sparse.map');
    if (text('GNU.sparse.major') === '1') {
      const { map: read, taken } = await readSparseMap(reader, stored);
      map = read;
      stored -= taken;
    } else if (listed !== undefined) {
      const numbers = listed.split(',').map(parseCount);
      map = Array.from({ length: numbers.length >> 1 }, (_, i) => [numbers[2 * i] as number, numbers[2 * i + 1] as number]);
    } else map = extensions.sparse;
  }
  if (map !== undefined) checkSparse(map, size, stored, path);

  const target = kind === 'symlink' || kind === 'hardlink' ? decodeName(get('linkpath') ?? extensions.linkname ?? header.linkname) : undefined;
  if (target === '' || target?.includes('\0')) throw invalid(`"${path}" is a link to nothing`);
  const [uid, gid, mtime] = [text('uid'), text('gid'), text('mtime')];
  const entry: LayerEntry = {
    path,
    kind,
    mode: header.mode,
    uid: uid === undefined ? header.uid : parseCount(uid),
    gid: gid === undefined ? header.gid : parseCount(gid),
    mtimeNs: mtime === undefined ? BigInt(header.mtime) * 1_000_000_000n : parseTime(mtime),
    size,
    ...(target === undefined ? {} : { target: kind === 'hardlink' ? normalizePath(target, isPlain, 'the target of a link in a layer') : target }),
    ...(kind === 'character' || kind === 'block' ? { device: { major: header.major, minor: header.minor } } : {}),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
  return { entry, stored, map };
}

/** pax 1.0: decimal lines (a count, then offset and size of each piece), padded to a block. */
async function readSparseMap(reader: ByteReader, stored: number): Promise<{ map: SparseMap; taken: number }> {
  let taken = 0;
  let text = '';
  const nextNumber = async (): Promise<number> => {
    for (let end = text.indexOf('\n'); ; end = text.indexOf('\n')) {
      if (end >= 0) {
        const number = parseCount(text.slice(0, end));
        text = text.slice(end + 1);
        return number;
      }
      if (taken + BLOCK > stored) throw invalid('a damaged map of a sparse file');
      const block = await reader.read(BLOCK);
      if (block.length < BLOCK) throw invalid('it is cut off');
      taken += BLOCK;
      text += block.toString('latin1');
    }
  };
  const count = await nextNumber();
  if (count > MOST_SPARSE) throw new LayerError('layer-too-large', `Cannot read "the layer": a file in ${count} pieces, expected at most ${MOST_SPARSE}`);
  const map: SparseMap = [];
  for (let i = 0; i < count; i++) map.push([await nextNumber(), await nextNumber()]);
  return { map, taken };
}

function checkSparse(map: SparseMap, size: number, stored: number, path: string): void {
  let at = 0;
  let sum = 0;
  for (const [offset, length] of map) {
    if (offset < at || offset + length > size) throw invalid(`"${path}" is a sparse file whose pieces overlap or lie outside of it`);
    at = offset + length;
    sum += length;
  }
  if (sum > stored) throw invalid(`"${path}" is a sparse file with less content than its map says`);
}

const ZEROS = Buffer.alloc(1 << 16);

async function* zeros(count: number): AsyncGenerator<Buffer, void, undefined> {
  for (let left = count; left > 0; left -= ZEROS.length) yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS;
}

async function* expand(stored: AsyncIterable<Buffer>, map: SparseMap, size: number): AsyncGenerator<Buffer, void, undefined> {
  const reader = new ByteReader(stored);
  let at = 0;
  for (const [offset, length] of map) {
    yield* zeros(offset - at);
    for (let left = length; left > 0; ) {
      const part = (await reader.readSome(left)) as Buffer;
      left -= part.length;
      yield part;
    }
    at = offset + length;
  }
  yield* zeros(size - at);
}

function translateWhiteout(entry: LayerEntry): LayerEntry | undefined {
  const slash = entry.path.lastIndexOf('/');
  const name = entry.path.slice(slash + 1);
  if (!name.startsWith(WHITEOUT)) return entry;
  const folder = slash < 0 ? '' : entry.path.slice(0, slash);
  const { target: _, xattrs: __, device: ___, ...rest } = entry;
  if (name === OPAQUE) return { ...rest, kind: 'opaque', path: folder, size: 0 };
  if (name.startsWith('.wh..wh.')) return undefined;
  const hidden = name.slice(WHITEOUT.length);
  if (hidden === '' || hidden === '.' || hidden === '..') throw new LayerError('layer-escapes', `Cannot use "${entry.path}" as a whiteout: it names no file, expected ".wh." and a name`);
  return { ...rest, kind: 'whiteout', path: folder === '' ? hidden : `${folder}/${hidden}`, size: 0 };
}
