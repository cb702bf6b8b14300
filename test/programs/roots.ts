/**
 * Root file systems made of Debian packages, for tests: fetched by apt-get download with all that they depend on, unpacked without their
 * scripts, and kept in build/test-roots. What the scripts would make and programs miss (users, `awk`) is made here.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckout } from '../boot/guest/build.ts';

const CLOSURE = ['--recurse', '--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks', '--no-replaces', '--no-enhances'];
/** What no program of a test reads, and what makes an image of it large. */
const USELESS = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian'];

/** The root `name`, made when it is not there; or why there is none. */
export function makeRoot(name: string, packages: readonly string[]): { root: string } | { reason: string } {
  const roots = join(findCheckout(), 'build/test-roots');
  const root = join(roots, name);
  if (existsSync(root)) return { root };
  const fresh = join(roots, `${name}.${process.pid}`);
  const files = join(fresh, 'packages');
  const made = join(fresh, 'root');
  mkdirSync(files, { recursive: true });
  try {
    const names = execFileSync('apt-cache', ['depends', ...CLOSURE, ...packages], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      .split('\n')
      .filter((line) => /^[a-z0-9][\w.+-]*$/.test(line));
    execFileSync('apt-get', ['download', ...new Set(names)], { cwd: files, stdio: ['ignore', 'ignore', 'pipe'] });
    mkdirSync(made);
    for (const file of readdirSync(files)) execFileSync('dpkg-deb', ['-x', join(files, file), made]);
    for (const path of USELESS) rmSync(join(made, path), { recursive: true, force: true });
    for (const file of ['passwd', 'group']) {
      const master = join(made, 'usr/share/base-passwd', `${file}.master`);
      if (existsSync(master)) copyFileSync(master, join(made, 'etc', file));
    }
    if (existsSync(join(made, 'usr/bin/mawk'))) symlinkSync('mawk', join(made, 'usr/bin/awk'));
    renameSync(made, root);
    return { root };
  } catch (error) {
    const stderr = (error as { stderr?: Buffer | string }).stderr;
    return { reason: `apt-get cannot get the packages: ${`${stderr ?? (error as Error).message}`.trim().split('\n')[0]}` };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
