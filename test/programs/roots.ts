/**
 * Root file systems made of Debian packages, for tests of many programs. Owns: what the packages' scripts would make and programs miss (users, `awk`), and what goes
 * because no program of a test reads it.
 */
import { copyFileSync, existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDebianRoot } from '../debian-root.ts';

/** What makes an image of a root large. */
const USELESS = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian'];

function finish(root: string): void {
  for (const path of USELESS) rmSync(join(root, path), { recursive: true, force: true });
  for (const file of ['passwd', 'group']) {
    const master = join(root, 'usr/share/base-passwd', `${file}.master`);
    if (existsSync(master)) copyFileSync(master, join(root, 'etc', file));
  }
  if (existsSync(join(root, 'usr/bin/mawk'))) symlinkSync('mawk', join(root, 'usr/bin/awk'));
}

/** The root `name`, made when it is not there; or why there is none. */
export const makeRoot = (name: string, packages: readonly string[]): { root: string } | { reason: string } => makeDebianRoot(name, packages, finish);

const NODE = 'base-files base-passwd dash coreutils findutils grep sed procps netbase nodejs'.split(' ');

function finishNode(root: string): void {
  finish(root);
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n');
}

/** Debian's Node.js; with npm and its 360 packages when asked for. */
export const makeNodeRoot = (npm = false): { root: string } | { reason: string } =>
  makeDebianRoot(npm ? 'npm' : 'node', npm ? [...NODE, 'npm'] : NODE, finishNode);
