/** A root file system with Debian's PostgreSQL and its clients. Owns: what the packages' scripts would make, and what goes because nothing here reads it. */
import { appendFileSync, cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckout } from '../../boot/guest/build.ts';
import { copyRoot } from '../../debian-root.ts';
import { makeRoot } from '../roots.ts';

const PACKAGES = 'postgresql-15 postgresql-client-15 base-files base-passwd dash coreutils grep sed util-linux procps libc-bin tzdata netbase'.split(' ');
/** A JIT compiler that is off by default for short queries, and perl, which only Debian's wrappers use. */
const UNUSED = ['usr/share/perl', 'usr/share/perl5', 'usr/share/i18n', 'usr/lib/x86_64-linux-gnu/perl', 'usr/lib/x86_64-linux-gnu/perl-base', 'usr/lib/postgresql/15/lib/bitcode'];

/** The root with the scripts of this folder in /suite, as a copy by hard links in `folder`; or why there is none. */
export function makePostgresRoot(folder: string): { root: string } | { reason: string } {
  const made = makeRoot('postgres', PACKAGES);
  if ('reason' in made) return made;
  const root = join(folder, 'root');
  copyRoot(made.root, root);
  for (const path of UNUSED) rmSync(join(root, path), { recursive: true, force: true });
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  for (const name of readdirSync(libraries)) if (name.startsWith('libLLVM')) rmSync(join(libraries, name));
  const locales = join(root, 'usr/lib/locale');
  for (const name of readdirSync(locales)) if (!name.startsWith('C.')) rmSync(join(locales, name), { recursive: true });
  // Files of the copy are the original's: a changed one is written anew.
  for (const [file, line] of [['passwd', 'postgres:x:100:100::/var/lib/postgresql:/bin/sh\n'], ['group', 'postgres:x:100:\n']] as const) {
    const path = join(root, 'etc', file);
    cpSync(path, `${path}.new`);
    rmSync(path);
    cpSync(`${path}.new`, path);
    rmSync(`${path}.new`);
    appendFileSync(path, line);
  }
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  rmSync(join(root, 'var/run'), { recursive: true, force: true });
  symlinkSync('/run', join(root, 'var/run'));
  mkdirSync(join(root, 'run/postgresql'), { recursive: true });
  mkdirSync(join(root, 'data'), { recursive: true });
  cpSync(join(findCheckout(), 'test/programs/postgres'), join(root, 'suite'), { recursive: true });
  return { root };
}
