/**
 * Root file systems of unmodified Debian packages: apt-get download and dpkg-deb -x, once, under build/test-roots. Nothing is installed and no
 * maintainer script runs; what those would have made and programs need is made by the caller's `finish`. Versions are Debian's, also where this
 * machine has a package of the same name from elsewhere.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckout } from './boot/guest/build.ts';

/** What apt would install with these on a machine that has nothing: of alternatives the one that it prefers, not all. */
const CLOSURE = ['-qq', '--simulate', '--no-install-recommends', '-o', 'Dir::State::status=/dev/null', '-o', 'Debug::NoLocking=1', 'install'];

/** apt_preferences(5): above 1000, Debian's version is taken even where a newer one is installed. */
const DEBIAN_ONLY = 'Package: *\nPin: release o=Debian\nPin-Priority: 1001\n';

/** The unpacked packages with all that they depend on: build/test-roots/NAME-HASH, or why there is none. */
export function makeDebianRoot(
  name: string,
  packages: readonly string[],
  finish: (root: string) => void = () => {},
): { root: string } | { reason: string } {
  const roots = join(findCheckout(), 'build/test-roots');
  // Another list of packages, another root.
  const made = createHash('sha256').update([...packages, finish.toString()].join(' ')).digest('hex').slice(0, 8);
  const root = join(roots, `${name}-${made}`);
  if (existsSync(root)) return { root };
  const fresh = join(roots, `${name}.${process.pid}`);
  const downloads = join(fresh, 'packages');
  mkdirSync(downloads, { recursive: true });
  const preferences = join(fresh, 'preferences');
  writeFileSync(preferences, DEBIAN_ONLY);
  const apt = ['-o', `Dir::Etc::Preferences=${preferences}`];
  try {
    const names = [
      ...execFileSync('apt-get', [...apt, ...CLOSURE, ...packages], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).matchAll(/^Inst (\S+)/gm),
    ].map((found) => found[1] ?? '');
    execFileSync('apt-get', [...apt, 'download', ...names], { cwd: downloads, stdio: ['ignore', 'ignore', 'pipe'] });
    mkdirSync(join(fresh, 'root'));
    for (const file of readdirSync(downloads)) execFileSync('dpkg-deb', ['-x', join(downloads, file), join(fresh, 'root')]);
    finish(join(fresh, 'root'));
    renameSync(join(fresh, 'root'), root);
    return { root };
  } catch (error) {
    // Another test that needs it was quicker.
    if (existsSync(root)) return { root };
    const stderr = (error as { stderr?: Buffer | string }).stderr;
    return { reason: `apt-get cannot get the packages: ${`${stderr ?? (error as Error).message}`.trim().split('\n')[0]}` };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** A copy for a test's own changes, by hard links where both are on one file system. */
export function copyRoot(from: string, to: string): void {
  if (spawnSync('cp', ['-al', from, to], { stdio: 'ignore' }).status === 0) return;
  rmSync(to, { recursive: true, force: true });
  execFileSync('cp', ['-a', '--reflink=auto', from, to]);
}
