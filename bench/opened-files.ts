/**
 * The part of a root file system that a command needs: for a Linux guest's initramfs, which lies in its memory and should hold no more. Owns: which files those are
 * (strace tells, run natively with the root as root), the links on the way to them, and /init, which starts the command. Rule: on both sides there is a /proc and a /dev, which the JVM and others do not start without.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { InitramfsEntry } from './linux-guest.ts';

/** Without a C library's environment of its own: PATH is the command's matter. */
const INIT = `#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    static char *const command[] = { COMMAND, 0 };
    umask(0);
    mkdir("/proc", 0755), mkdir("/dev", 0755), mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, 0), mount("dev", "/dev", "devtmpfs", 0, 0);
    mkdir("/dev/shm", 01777);
    umask(022);
    execv(command[0], command);
    perror(command[0]);
    return 127;
}
`;

function makeInit(command: readonly string[], dir: string): Buffer {
  const [source, init] = [join(dir, 'init.c'), join(dir, 'init')];
  // As C has strings: JSON's escapes are C's.
  writeFileSync(source, INIT.replace('COMMAND', () => command.map((word) => JSON.stringify(word)).join(', ')));
  execFileSync('musl-gcc', ['-static', '-Os', '-s', source, '-o', init], { stdio: 'inherit' });
  return readFileSync(init);
}

/** The files of `root` that the command opens, with the links on the way to them, as entries; and /init, which starts it. */
export function makeOpenedEntries(root: string, command: readonly string[], dir: string): InitramfsEntry[] {
  const log = join(dir, 'strace');
  for (const folder of ['proc', 'dev']) mkdirSync(join(root, folder), { recursive: true });
  const inside = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && log=$1 && shift && exec strace -f -y -qq -z -e trace=%file -s 4096 -o "$log" chroot "$0" "$@"';
  execFileSync('unshare', ['-m', 'sh', '-c', inside, root, log, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
  const text = readFileSync(log, 'utf8');
  // What comes before the chroot was the host's. Relative paths stand behind their folder, as the host sees it.
  const within = text.slice(text.indexOf('chroot('));
  const relative = [...within.matchAll(/AT_FDCWD<([^>]*)>, "([^"/][^"]*)"/g)].map(([, folder, path]) => join('/', (folder as string).slice(resolve(root).length), path as string));
  const paths = [...[...within.matchAll(/"(\/[^"]*)"/g)].map((found) => found[1] as string), ...relative];
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
  return [...entries.values(), { path: '/init', data: makeInit(command, dir), mode: 0o755 }];
}
