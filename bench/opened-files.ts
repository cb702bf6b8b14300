/**
 * The part of a root file system that a command needs: for a Linux guest's initramfs, which lies in its memory and should hold no more. Owns: which files those are
 * (strace tells, run natively with the root as root), the links on the way to them, and /init, which starts the command.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { InitramfsEntry } from './linux-guest.ts';

/** The files of `root` that the command opens, with the links on the way to them, as entries; and /init, which starts it. */
export function makeOpenedEntries(root: string, command: readonly string[], dir: string): InitramfsEntry[] {
  const log = join(dir, 'strace');
  execFileSync('strace', ['-f', '-qq', '-z', '-e', 'trace=%file', '-s', '4096', '-o', log, 'chroot', root, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  const text = readFileSync(log, 'utf8');
  // What comes before the chroot was the host's.
  const paths = [...text.slice(text.indexOf('chroot(')).matchAll(/"(\/[^"]*)"/g)].map((found) => found[1] as string);
  const entries = new Map<string, InitramfsEntry>();
  const add = (path: string): void => {
    if (path === '/' || entries.has(path)) return;
    const parent = dirname(path);
    add(parent);
    const at = entries.get(parent)?.link;
    if (at !== undefined) {
      add(join(resolve(dirname(parent), at), path.slice(parent.length)));
      return;
    }
    const file = join(root, path);
    if (!existsSync(dirname(file)) || !lstatSync(file, { throwIfNoEntry: false })) return;
    const attributes = lstatSync(file);
    if (attributes.isSymbolicLink()) {
      const link = readlinkSync(file);
      entries.set(path, { path, link });
      add(resolve(dirname(path), link));
    } else if (attributes.isDirectory()) entries.set(path, { path });
    else if (attributes.isFile()) entries.set(path, { path, data: readFileSync(file), mode: attributes.mode & 0o777 });
  };
  // What a script is run by the kernel opens itself.
  const interpreter = /^#! *(\S+)/.exec(readFileSync(join(root, command[0] ?? ''), 'latin1').slice(0, 256))?.[1];
  if (interpreter !== undefined) paths.push(interpreter);
  for (const path of ['/bin/dash', '/lib64/ld-linux-x86-64.so.2', '/lib/x86_64-linux-gnu/libc.so.6', ...paths]) add(resolve(path));
  const quoted = command.map((word) => `'${word}'`).join(' ');
  return [...entries.values(), { path: '/init', data: Buffer.from(`#!/bin/dash\nexec ${quoted}\n`), mode: 0o755 }];
}
