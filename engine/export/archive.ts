/** An image's files as a tar archive. Owns: the order (a directory before what is in it, a file before its further names). Rule: nothing but its layers' files; what hull adds at a machine's start is not among them. */
import { readSync } from 'node:fs';
import type { Tree, TreeEntry, TreeInode } from '../../images/index.ts';
import { decodeName, type WriteEntry, writeTar } from '../../images/layers/index.ts';
import { openImages, pickRootLayers, readLimit, resolveImage, withStacked } from '../oci/index.ts';
import type { StatePaths } from '../state/index.ts';

const CHUNK = 1 << 20;

function* readContent({ source, size }: TreeInode): Generator<Buffer> {
  const buffer = Buffer.alloc(Math.min(CHUNK, size));
  for (let done = 0; done < size; ) {
    const got = readSync(source?.fd as number, buffer, 0, Math.min(CHUNK, size - done), (source?.offset ?? 0) + done);
    if (got === 0) return; // the writer says that it is too short
    yield buffer.subarray(0, got);
    done += got;
  }
}

function* listEntries(tree: Tree): Generator<WriteEntry> {
  const seen = new Map<TreeInode, string>();
  function* visit(folder: string, entries: readonly TreeEntry[]): Generator<WriteEntry> {
    for (const { name, inode } of entries) {
      const path = `${folder}${decodeName(name)}`;
      const { kind, mode, uid, gid, mtimeNs, size, device, xattrs, target } = inode;
      if (kind === 'socket') continue; // tar has none
      const common = { path, mode, uid, gid, mtimeNs, ...(xattrs === undefined ? {} : { xattrs }) };
      const known = seen.get(inode);
      if (known !== undefined) {
        yield { ...common, kind: 'hardlink', size: 0, target: known };
        continue;
      }
      if (kind !== 'directory') seen.set(inode, path);
      if (kind === 'file') yield { ...common, kind, size, content: () => readContent(inode) };
      else yield { ...common, kind, size: 0, ...(device === undefined ? {} : { device }), ...(target === undefined ? {} : { target: decodeName(target) }) };
      if (inode.entries !== undefined) yield* visit(`${path}/`, inode.entries);
    }
  }
  yield* visit('', tree.root.entries ?? []);
}

/** Gives the archive to `write`, chunk by chunk. */
export async function archiveImage(id: string, paths: StatePaths, env: NodeJS.ProcessEnv, write: (bytes: AsyncIterable<Uint8Array>) => Promise<void>): Promise<void> {
  const store = openImages(paths);
  const layers = pickRootLayers(resolveImage(store, id));
  await withStacked(paths.chains, 'the archive', store, layers, readLimit(env), (tree) => write(writeTar(listEntries(tree))));
}
