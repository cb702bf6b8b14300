/**
 * Entries -> a layer. Owns: the form of the archives that hull makes: ustar, with pax headers for what does not fit, whiteouts in the OCI layer format. Rules: the bytes are a
 * function of the entries and the options: no host, no time and no user of this machine in them; entries come in the order in which they are
 * given (a hard link behind its target).
 */
import { createHash } from 'node:crypto';
import type { BlobInfoLike, LayerSink } from './sink.ts';
import { compress, type Compression } from './compression.ts';
import type { WriteEntry } from './entry.ts';
import { LayerError } from './error.ts';
import { encodeName } from './names.ts';
import { BLOCK, findUnfit, formatHeader, formatPax, type HeaderFields } from './tar-header.ts';

export interface WriteOptions {
  /** Default gzip. */
  readonly compression?: Compression;
  readonly level?: number;
  /** s since 1970 (reproducible-builds.org, SOURCE_DATE_EPOCH): later times become this one. */
  readonly epoch?: number;
}

const TYPES = { file: '0', hardlink: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6', whiteout: '0', opaque: '0' } as const;
const NS = 1_000_000_000n;

function nameOf({ path, kind }: WriteEntry): string {
  if (kind === 'opaque') return path === '' ? '.wh..wh..opq' : `${path}/.wh..wh..opq`;
  if (kind === 'whiteout') return path.replace(/[^/]+$/, (name) => `.wh.${name}`);
  if (kind === 'directory') return path === '' ? './' : `${path}/`;
  return path;
}

function formatTime(ns: bigint): string {
  const magnitude = ns < 0n ? -ns : ns;
  const fraction = (magnitude % NS).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${magnitude / NS}${fraction === '' ? '' : `.${fraction}`}`;
}

function formatEntry(entry: WriteEntry, options: WriteOptions): Buffer {
  const isRemoval = entry.kind === 'whiteout' || entry.kind === 'opaque';
  const latest = options.epoch === undefined ? undefined : BigInt(options.epoch) * NS;
  const mtimeNs = latest !== undefined && entry.mtimeNs > latest ? latest : entry.mtimeNs;
  const fields: HeaderFields = {
    name: encodeName(nameOf(entry)),
    linkname: encodeName(entry.target ?? ''),
    mode: isRemoval ? 0 : entry.mode,
    uid: isRemoval ? 0 : entry.uid,
    gid: isRemoval ? 0 : entry.gid,
    size: entry.kind === 'file' ? entry.size : 0,
    mtime: Number(mtimeNs / NS),
    type: TYPES[entry.kind],
    major: entry.device?.major ?? 0,
    minor: entry.device?.minor ?? 0,
  };
  const unfit = findUnfit(fields);
  const records: [string, Uint8Array | string][] = [];
  if (unfit.name) records.push(['path', fields.name]);
  if (unfit.linkname) records.push(['linkpath', fields.linkname]);
  if (unfit.size) records.push(['size', String(fields.size)]);
  if (unfit.uid) records.push(['uid', String(fields.uid)]);
  if (unfit.gid) records.push(['gid', String(fields.gid)]);
  if (unfit.mtime || mtimeNs % NS !== 0n) records.push(['mtime', formatTime(mtimeNs)]);
  for (const [name, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) records.push([`SCHILY.xattr.${name}`, value]);
  const header = formatHeader(fields);
  if (records.length === 0) return header;
  const body = formatPax(records);
  const pax = formatHeader({ ...fields, name: Buffer.from('PaxHeaders.0/entry'), linkname: Buffer.alloc(0), mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: 0, type: 'x', major: 0, minor: 0 });
  return Buffer.concat([pax, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK), header]);
}

/** The archive, not compressed. */
export async function* writeTar(entries: AsyncIterable<WriteEntry> | Iterable<WriteEntry>, options: WriteOptions = {}): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const entry of entries) {
    const head = formatEntry(entry, options);
    held.push(head);
    size += head.length;
    if (entry.kind === 'file' && entry.size > 0) {
      let count = 0;
      for await (const chunk of entry.content?.() ?? []) {
        count += chunk.length;
        if (count > entry.size) break;
        held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
        size += chunk.length;
        // Many small files make few chunks; a source may use its buffer again, so nothing waits once it is asked for more.
        yield Buffer.concat(held);
        held = [];
        size = 0;
      }
      if (count !== entry.size) {
        throw new LayerError('layer-mismatch', `Cannot write "${entry.path}": it has ${count < entry.size ? count : 'more'} bytes instead of ${entry.size}, expected a file that nobody writes to`);
      }
      held.push(Buffer.alloc((BLOCK - (count % BLOCK)) % BLOCK));
    }
    if (size > 1 << 16) {
      yield Buffer.concat(held);
      held = [];
      size = 0;
    }
  }
  yield Buffer.concat([...held, Buffer.alloc(2 * BLOCK)]);
}

export interface WrittenLayer {
  /** For the manifest. */
  readonly descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  /** For the config: the digest of what is not compressed. */
  readonly diffId: string;
}

const MEDIA_TYPES: Record<Compression, string> = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};

/** Puts a layer into a store: `put` takes its bytes, as Store.putBlob with a lease does. */
export async function writeLayer(put: LayerSink, entries: AsyncIterable<WriteEntry> | Iterable<WriteEntry>, options: WriteOptions = {}): Promise<WrittenLayer> {
  const compression = options.compression ?? 'gzip';
  const hash = createHash('sha256');
  async function* watch() {
    for await (const chunk of writeTar(entries, options)) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const { digest, size }: BlobInfoLike = await put(compress(watch(), compression, options.level));
  return { descriptor: { mediaType: MEDIA_TYPES[compression], digest, size }, diffId: `sha256:${hash.digest('hex')}` };
}
