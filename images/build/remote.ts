/**
 * ADD of a URL, and archives. Owns: the download, its checksum, and telling an archive by its first bytes. Rules ("Dockerfile reference", ADD): a remote file has mode
 * 0600 and the time that its server says; a file's name is the URL's last part; a local archive in a known compression is unpacked, a
 * remote one is not.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync, writeSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { readLayer } from '../layers/index.ts';
import { BuildError } from './error.ts';
import { makeDirectory, type Node, putNode } from './tree.ts';
import { explainCacheError } from './work-folder.ts';

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

export interface Downloaded {
  readonly node: Node;
  readonly name: string;
}

/** What a server answers, after redirects; a header's name is in small letters. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

export type Fetch = (url: URL) => Promise<Answer>;

const TRIES = 3;
const WAIT_MS = 300;

/** All bytes, or an error: a full disk is one. */
function append(fd: number, file: string, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
  } catch (error) {
    throw explainCacheError(error, file);
  }
}

/** Its first answer that a server stands by: what breaks before, and errors of its own, are tried again. */
async function askPatiently(url: URL, fetchUrl: Fetch): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetchUrl(url);
      if (answer.status < 500 || attempt >= TRIES) return answer;
    } catch (error) {
      if (attempt >= TRIES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS * attempt));
  }
}

export async function download(text: string, file: string, fetchUrl: Fetch): Promise<Downloaded> {
  const fail = (why: string, cause?: unknown) => new BuildError('download-failed', `Cannot add "${text}": ${why}${why.includes(', expected ') ? '' : ', expected to download it'}`, { cause });
  if (!URL.canParse(text)) throw fail('it is no URL');
  const url = new URL(text);
  const { status, headers, body } = await askPatiently(url, fetchUrl).catch((error: Error) => {
    throw fail(error.message, error);
  });
  if (status < 200 || status > 299) throw fail(`the server answers ${status} ${STATUS_CODES[status] ?? ''}`.trim());
  const hash = createHash('sha256');
  let size = 0;
  const fd = openSync(file, 'wx', 0o600);
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      append(fd, file, chunk);
      size += chunk.length;
    }
  } catch (error) {
    throw error instanceof BuildError ? error : fail(`after ${size} bytes: ${(error as Error).message}`, error);
  } finally {
    closeSync(fd);
  }
  const length = headers['content-length'];
  if (length !== undefined && Number(length) !== size) throw fail(`${size} bytes came of ${length}`);
  const modified = Date.parse(String(headers['last-modified'] ?? ''));
  const mtimeNs = Number.isNaN(modified) ? 0n : BigInt(modified) * 1_000_000n;
  const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
  return { node: { kind: 'file', mode: 0o600, uid: 0, gid: 0, mtimeNs, size, content: { kind: 'part', file, offset: 0 }, digest: hash.digest('hex') }, name };
}

const MAGIC: readonly { readonly bytes: readonly number[]; readonly tool?: readonly string[] }[] = [
  { bytes: [0x1f, 0x8b] },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], tool: ['xz', '-dc'] },
  { bytes: [0x42, 0x5a, 0x68], tool: ['bzip2', '-dc'] },
];

/** What is in an archive, or undefined where the file is none. `read`: the file on this host. */
export async function unpackArchive(path: string | Buffer, offset: number, size: number, file: string): Promise<Node | undefined> {
  const head = Buffer.alloc(512);
  const fd = openSync(path, 'r');
  const length = readSync(fd, head, 0, Math.min(512, size), offset);
  closeSync(fd);
  const found = MAGIC.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte));
  const isPlain = length === 512 && head.toString('latin1', 257, 262) === 'ustar';
  if (found === undefined && !isPlain) return undefined;
  const open = () => createReadStream(path, { start: offset, end: offset + size - 1, highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>;
  const source = found?.tool === undefined ? open() : runTool(found.tool, open());
  const root = makeDirectory();
  const out = openSync(file, 'wx', 0o600);
  let at = 0;
  let count = 0;
  try {
    for await (const entry of readLayer(source, { isPlain: true })) {
      if (entry.path === '' && ++count > 0) continue;
      count++;
      const { kind, mode, uid, gid, mtimeNs, target, device, xattrs } = entry;
      const plain = { mode, uid, gid, mtimeNs, size: 0, ...(target === undefined ? {} : { target }), ...(device === undefined ? {} : { device }), ...(xattrs === undefined ? {} : { xattrs }) };
      if (kind === 'directory') putNode(root, entry.path, { ...plain, kind, children: new Map() });
      else if (kind === 'file') {
        const start = at;
        for await (const chunk of entry.content()) {
          append(out, file, chunk);
          at += chunk.length;
        }
        putNode(root, entry.path, { ...plain, kind, size: at - start, content: { kind: 'part', file, offset: start } });
      } else if (kind === 'hardlink') {
        const same = target?.split('/').reduce<Node | undefined>((node, name) => node?.children?.get(name), root);
        if (same !== undefined) putNode(root, entry.path, same);
      } else if (kind !== 'whiteout' && kind !== 'opaque') putNode(root, entry.path, { ...plain, kind });
    }
  } catch (error) {
    // A compressed file that is no archive is copied as it is.
    if (count === 0 && !isPlain && (error as { code?: string }).code === 'layer-invalid') return undefined;
    throw error;
  } finally {
    closeSync(out);
  }
  return count === 0 && !isPlain ? undefined : root;
}

async function* runTool([program, ...args]: readonly string[], input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const child = spawn(program as string, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<number | string>((resolve) => {
    child.on('error', () => resolve('not installed'));
    child.on('close', (code) => resolve(code ?? 1));
  });
  child.stdin.on('error', () => undefined);
  void (async () => {
    for await (const chunk of input) if (child.stdin.destroyed || !child.stdin.write(chunk)) await Promise.race([new Promise((resolve) => child.stdin.once('drain', resolve)), ended]);
    child.stdin.end();
  })();
  yield* child.stdout as AsyncIterable<Buffer>;
  const status = await ended;
  if (status !== 0) throw new BuildError('source-missing', `Cannot unpack an archive: ${program} ${typeof status === 'number' ? `ends with ${status}` : `is ${status}`}, expected a whole archive and "${program}" in PATH`);
}

