/**
 * Compressed layers. Owns: which compressions there are, told by the first bytes (gzip: RFC 1952; zstd: RFC 8878), whatever a media type says. Rules: streams, never
 * whole layers; what is damaged or cut off is one LayerError.
 */
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { LayerError } from './error.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

export function detectCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const isZstd = head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd && head[0] === 0x28;
  const isSkippable = head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18 && ((head[0] as number) & 0xf0) === 0x50;
  return isZstd || isSkippable ? 'zstd' : 'none';
}

function damaged(cause: unknown): LayerError {
  if (cause instanceof LayerError) return cause;
  return new LayerError('layer-invalid', `Cannot read "the layer": its compressed form is damaged or cut off (${(cause as Error).message}), expected a whole one`, { cause });
}

/** The first bytes of a stream, and the stream with them. */
async function peek(source: AsyncIterable<Uint8Array>, size: number): Promise<{ head: Buffer; all: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < size) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* join() {
    try {
      yield head;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head, all: join() };
}

/** The uncompressed bytes. Errors of `source` itself pass through. */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const { head, all } = await peek(source, 4);
  const compression = detectCompression(head);
  if (compression === 'none') {
    yield* all;
    return;
  }
  if (compression === 'zstd') {
    const { decompressZstd } = await import('./zstd.ts');
    yield* decompressZstd(all);
    return;
  }
  let failure: unknown;
  async function* watch() {
    try {
      yield* all;
    } catch (error) {
      failure = error; // the pipe would hide whose it is
      throw error;
    }
  }
  const input = Readable.from(watch(), { objectMode: false });
  const output = createGunzip({ chunkSize: 1 << 17 });
  input.on('error', (error) => output.destroy(error));
  input.pipe(output);
  try {
    yield* output as AsyncIterable<Buffer>;
  } catch (error) {
    throw failure ?? damaged(error);
  } finally {
    input.destroy();
    output.destroy();
  }
}

/** Deterministic: no name and no time in the header. */
export async function* compress(source: AsyncIterable<Uint8Array>, compression: Compression, level?: number): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression === 'none') {
    yield* source;
    return;
  }
  if (compression === 'zstd') {
    const { compressZstd } = await import('./zstd.ts');
    yield* compressZstd(source, level);
    return;
  }
  const input = Readable.from(source, { objectMode: false });
  const output = createGzip({ level: level ?? 6, chunkSize: 1 << 17 });
  input.on('error', (error) => output.destroy(error));
  input.pipe(output);
  try {
    let isFirst = true;
    for await (const chunk of output as AsyncIterable<Buffer>) {
      if (isFirst) chunk[9] = 255; // RFC 1952: "unknown" in place of this system's number
      isFirst = false;
      yield chunk;
    }
  } finally {
    input.destroy();
    output.destroy();
  }
}
