/**
 * A tree of files as data. Owns: its shape and its identity. Rules: entries of a directory are sorted by their names' bytes; a
 * file with several names is one inode object; content is named by a path that is read when it is needed.
 */
import { createHash } from 'node:crypto';

export type FileKind = 'directory' | 'file' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket';

export interface TreeInode {
  readonly kind: FileKind;
  /** Permission bits with set-id and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Bytes of a file's content or a link's text. */
  readonly size: number;
  links: number;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly target?: Buffer;
  readonly entries?: readonly TreeEntry[];
  /** By their full names: "security.capability". */
  readonly xattrs?: ReadonlyMap<string, Buffer>;
  /** Where the content is now: a file by its path, or a part of an open one that holds many (`path` is for messages then). */
  readonly source?: { readonly path: Buffer; readonly stamp: string; readonly fd?: number; readonly offset?: number };
}

export interface TreeEntry {
  readonly name: Buffer;
  readonly inode: TreeInode;
}

export interface Tree {
  readonly root: TreeInode;
}

/** A digest that changes when anything about the tree does: names, attributes, and what tells that content was replaced. */
export function identifyTree(tree: Tree): string {
  const hash = createHash('sha256');
  const numbers = new Map<TreeInode, number>();
  const visit = (name: Buffer, inode: TreeInode) => {
    const known = numbers.get(inode);
    hash.update(name);
    if (known !== undefined) {
      hash.update(`\0same ${known}\n`);
      return;
    }
    numbers.set(inode, numbers.size);
    const { kind, mode, uid, gid, mtimeNs, size, device, source } = inode;
    hash.update(`\0${kind} ${mode} ${uid} ${gid} ${mtimeNs} ${size} ${device?.major ?? 0}:${device?.minor ?? 0} ${source?.stamp ?? ''}\n`);
    if (inode.target !== undefined) hash.update(inode.target).update('\0');
    for (const [name, value] of inode.xattrs ?? []) hash.update(`${name} ${value.length} `).update(value);
    if (inode.entries === undefined) return;
    for (const entry of inode.entries) visit(entry.name, entry.inode);
    hash.update('end\n');
  };
  visit(Buffer.alloc(0), tree.root);
  return hash.digest('hex');
}
