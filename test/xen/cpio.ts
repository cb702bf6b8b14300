/** Archives of the kind that Linux unpacks as its first root file system (cpio(5), "New ASCII Format"; Linux Documentation/driver-api/early-userspace/buffer-format.rst). Several may follow one another. */
import { readFileSync } from 'node:fs';

const FILE = 0o100000;
const FOLDER = 0o040000;
const LINK = 0o120000;

/** What lies at a path: bytes, a file of this machine, a symbolic link, or an empty folder. Files are executable. */
export type Content = Uint8Array | { readonly file: string } | { readonly link: string } | 'folder';

const padTo4 = (size: number) => Buffer.alloc(-size & 3);

function* writeEntry(number: number, path: string, mode: number, content: Uint8Array): Generator<Uint8Array> {
  const name = Buffer.from(`${path}\0`);
  const fields = [number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  yield Buffer.from(head);
  yield name;
  yield padTo4(head.length + name.length);
  yield content;
  yield padTo4(content.length);
}

/** entries: absolute paths. The folders that they need are made. */
export function* writeCpio(entries: Iterable<readonly [string, Content]>): Generator<Uint8Array> {
  let number = 1;
  const folders = new Set(['']);
  function* makeFolders(path: string): Generator<Uint8Array> {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (folders.has(parent)) return;
    yield* makeFolders(parent);
    folders.add(parent);
    yield* writeEntry(number++, parent.slice(1), FOLDER | 0o755, Buffer.alloc(0));
  }
  for (const [path, content] of entries) {
    yield* makeFolders(content === 'folder' ? `${path}/` : path);
    if (content === 'folder') continue;
    if (content instanceof Uint8Array) yield* writeEntry(number++, path.slice(1), FILE | 0o755, content);
    else if ('file' in content) yield* writeEntry(number++, path.slice(1), FILE | 0o755, readFileSync(content.file));
    else yield* writeEntry(number++, path.slice(1), LINK | 0o777, Buffer.from(content.link));
  }
  yield* writeEntry(0, 'TRAILER!!!', 0, Buffer.alloc(0));
}
