/**
 * Debian's packages for arm64 on a machine of any architecture: apt's own client with a configuration and package lists of its own, under build/. Nothing of the machine's apt is changed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCheckout } from './boot/guest/build.ts';

/** From now on this process's apt-get is for arm64 (APT_CONFIG, apt.conf(5)); why not, otherwise. */
export function useArm64Packages(): string | undefined {
  const folder = join(findCheckout(), 'build/apt-arm64');
  const config = join(folder, 'apt.conf');
  const isReady = join(folder, 'ready');
  mkdirSync(join(folder, 'state/lists/partial'), { recursive: true });
  mkdirSync(join(folder, 'cache/archives/partial'), { recursive: true });
  writeFileSync(
    config,
    `APT::Architecture "arm64";\nAPT::Architectures { "arm64"; };\nDir::State "${folder}/state";\nDir::State::status "/dev/null";\nDir::Cache "${folder}/cache";\nDebug::NoLocking "1";\n`,
  );
  process.env['APT_CONFIG'] = config;
  if (existsSync(isReady)) return undefined;
  try {
    execFileSync('apt-get', ['-qq', 'update'], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 240_000 });
    execFileSync('apt-cache', ['show', 'busybox-static'], { stdio: 'ignore' });
    writeFileSync(isReady, '');
    return undefined;
  } catch (error) {
    return `apt-get cannot get lists of packages for arm64: ${`${(error as { stderr?: Buffer }).stderr ?? (error as Error).message}`.trim().split('\n')[0]}`;
  }
}
