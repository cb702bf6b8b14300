/**
 * zstd (RFC 8878). Owns: which implementation is used: node's own where it has one (22.15 and later), else fzstd, which only reads. Rules: windows above 128 MiB, which a decoder
 * has to keep in memory, are refused; small pieces go in, since a few bytes can become many.
 */
import { Decompress } from 'fzstd';
import * as zlib from 'node:zlib';
import { Readable, type Transform } from 'node:stream';
import { LayerError } from './error.ts';

const MOST_WINDOW = 128 * 2 ** 20;
/** 1 KiB is at most some 256 blocks of 128 KiB. */
const PIECE = 1024;

interface ZstdOfNode {
  createZstdCompress?: (options: object) => Transform;
}

/** The window that the first frame asks for, bytes. */
function readWindow(head: Uint8Array): number {
  const flags = head[4] as number;
  if ((flags & 0x20) === 0) {
    const descriptor = head[5] as number;
    const base = 2 ** (10 + (descriptor >> 3));
    return base + (base / 8) * (descriptor & 7);
  }
  const skip = 5 + ([0, 1, 2, 4][flags & 3] as number);
  const size = [1, 2, 4, 8][flags >> 6] as number;
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (head[skip + i] ?? 0);
  return size === 2 ? value + 256 : value;
}

export async function* decompressZstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let out: Uint8Array[] = [];
  let isFirst = true;
  const decoder = new Decompress((chunk) => void out.push(chunk));
  const push = (bytes: Uint8Array, isLast: boolean) => {
    try {
      decoder.push(bytes, isLast);
    } catch (cause) {
      throw new LayerError('layer-invalid', `Cannot read "the layer": its compressed form is damaged or cut off (${(cause as Error).message}), expected a whole one`, { cause });
    }
  };
  for await (const chunk of source) {
    if (isFirst && chunk.length > 18) {
      const window = readWindow(chunk);
      if (window > MOST_WINDOW) throw new LayerError('layer-too-large', `Cannot read "the layer": its zstd window is ${window} bytes, expected at most ${MOST_WINDOW}`);
    }
    isFirst = false;
    for (let at = 0; at < chunk.length; at += PIECE) {
      push(chunk.subarray(at, at + PIECE), false);
      const ready = out;
      out = [];
      yield* ready;
    }
  }
  push(new Uint8Array(0), true);
  yield* out;
}

export async function* compressZstd(source: AsyncIterable<Uint8Array>, level = 3): AsyncGenerator<Uint8Array, void, undefined> {
  const create = (zlib as unknown as ZstdOfNode).createZstdCompress;
  if (create === undefined) {
    throw new LayerError('layer-unsupported', `Cannot write a layer as "zstd": Node.js ${process.versions.node} has no zstd, expected Node.js 22.15 or later, or gzip`);
  }
  const output = create({ params: { 100: level } });
  const input = Readable.from(source, { objectMode: false });
  input.on('error', (error) => output.destroy(error));
  input.pipe(output);
  yield* output as AsyncIterable<Buffer>;
}
