/**
 * Where everything goes, decided before a byte is written. Owns: the order (the root first, then each directory's children next to
 * each other, so that a path walk reads few blocks; content behind all inodes) and the choice of compact or extended, inline or plain.
 */
import type { Tree, TreeEntry, TreeInode } from '../rootfs/index.ts';
import { BLOCK, COMPACT, DIRENT, encodeXattrs, EXTENDED, LAYOUT, SLOT, SUPER_OFFSET, SUPER_SIZE } from './format.ts';
import { ErofsError } from './error.ts';

/** Longest part of a file that goes behind its inode: a longer one would leave holes between inodes. */
const MOST_INLINE = 2048;
/** Attributes of an inode lie in its block; those of one that has more are left out. */
const MOST_XATTRS = 3072;
const MOST_BLOCKS = 0xfffffffe;

export interface PlacedInode {
  readonly inode: TreeInode;
  /** Of directories: itself where it is the root. */
  readonly parent: TreeInode;
  readonly number: number;
  readonly size: number;
  readonly isExtended: boolean;
  readonly layout: number;
  /** Byte offset in the image. */
  offset: number;
  /** First of `blocks` whole blocks. */
  firstBlock: number;
  readonly blocks: number;
  /** Bytes of content behind the inode and its attributes. */
  readonly inlined: number;
  readonly xattrBytes: number;
}

export interface Placement {
  readonly inodes: readonly PlacedInode[];
  readonly find: ReadonlyMap<TreeInode, PlacedInode>;
  readonly metaBlocks: number;
  readonly blocks: number;
  /** The mtime that compact inodes have. */
  readonly timeNs: bigint;
}

/** The names of a directory with "." and "..", in the order on disk, cut into blocks. */
export function packDirectory(inode: TreeInode, parent: TreeInode): TreeEntry[][] {
  const all = [{ name: Buffer.from('.'), inode }, { name: Buffer.from('..'), inode: parent }, ...(inode.entries ?? [])];
  all.sort((a, b) => Buffer.compare(a.name, b.name));
  const blocks: TreeEntry[][] = [];
  let used = BLOCK;
  for (const entry of all) {
    const need = DIRENT + entry.name.length;
    if (used + need > BLOCK) {
      blocks.push([]);
      used = 0;
    }
    (blocks.at(-1) as TreeEntry[]).push(entry);
    used += need;
  }
  return blocks;
}

function sizeOf(inode: TreeInode, parent: TreeInode): number {
  if (inode.kind !== 'directory') return inode.size;
  const blocks = packDirectory(inode, parent);
  const last = blocks.at(-1) as TreeEntry[];
  return (blocks.length - 1) * BLOCK + last.reduce((sum, { name }) => sum + DIRENT + name.length, 0);
}

/** Breadth first, so that the children of a directory lie together. */
function order(tree: Tree): { inode: TreeInode; parent: TreeInode }[] {
  const found: { inode: TreeInode; parent: TreeInode }[] = [{ inode: tree.root, parent: tree.root }];
  const seen = new Set<TreeInode>([tree.root]);
  for (const { inode } of found) {
    for (const { inode: child } of inode.entries ?? []) {
      if (seen.has(child)) continue;
      seen.add(child);
      found.push({ inode: child, parent: inode });
    }
  }
  return found;
}

function mostCommonTime(inodes: readonly { inode: TreeInode }[]): bigint {
  const counts = new Map<bigint, number>();
  let best = inodes[0]?.inode.mtimeNs ?? 0n;
  for (const { inode } of inodes) {
    const count = (counts.get(inode.mtimeNs) ?? 0) + 1;
    counts.set(inode.mtimeNs, count);
    if (count > (counts.get(best) ?? 0)) best = inode.mtimeNs;
  }
  return best;
}

export function placeTree(tree: Tree): Placement {
  const ordered = order(tree);
  const timeNs = mostCommonTime(ordered);
  const find = new Map<TreeInode, PlacedInode>();
  const inodes: PlacedInode[] = [];
  let at = SUPER_OFFSET + SUPER_SIZE;
  for (const { inode, parent } of ordered) {
    const size = sizeOf(inode, parent);
    const isExtended =
      inode.mtimeNs !== timeNs || size > 0xffffffff || inode.uid > 0xffff || inode.gid > 0xffff || inode.links > 0xffff;
    const base = isExtended ? EXTENDED : COMPACT;
    const attributes = encodeXattrs(inode.xattrs).length;
    const xattrBytes = attributes <= MOST_XATTRS ? attributes : 0;
    const head = base + xattrBytes;
    const tail = size % BLOCK;
    const room = inode.kind === 'file' ? Math.min(MOST_INLINE, BLOCK - head) : BLOCK - head;
    const inlined = tail > 0 && tail <= room ? tail : 0;
    at = Math.ceil(at / SLOT) * SLOT;
    if (Math.floor(at / BLOCK) !== Math.floor((at + head + inlined - 1) / BLOCK)) at = Math.ceil(at / BLOCK) * BLOCK;
    const placed: PlacedInode = {
      inode,
      parent,
      number: inodes.length + 1,
      size,
      isExtended,
      layout: inlined > 0 ? LAYOUT.INLINE : LAYOUT.PLAIN,
      offset: at,
      firstBlock: 0,
      blocks: Math.ceil((size - inlined) / BLOCK),
      inlined,
      xattrBytes,
    };
    at += head + inlined;
    inodes.push(placed);
    find.set(inode, placed);
  }
  const metaBlocks = Math.ceil(at / BLOCK);
  let block = metaBlocks;
  for (const placed of inodes) {
    if (placed.blocks === 0) continue;
    placed.firstBlock = block;
    block += placed.blocks;
  }
  if (block > MOST_BLOCKS) throw new ErofsError('tree-invalid', `Cannot write "the image": ${block} blocks of content, expected at most ${MOST_BLOCKS}`);
  return { inodes, find, metaBlocks, blocks: block, timeNs };
}
