/**
 * Root file systems made of Debian packages, for tests of many programs. Owns: what the packages' scripts would make and programs miss (users, `awk`), and what goes
 * because no program of a test reads it.
 */
import { copyFileSync, existsSync, rmSync, symlinkSync } from 'node:fs';
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
