// Fetches the pinned third-party sources of tools/sources.lock.json into build/sources/<name>-<version>/: with apt's own client and a
// private deb-src list where apt is, over HTTPS from Debian's pool elsewhere. Each file is checked against its SHA-256 before use.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BuildError, mustRun, runCommand } from './process.ts';

interface SourcePackage {
  name: string;
  version: string;
  directory: string;
  files: Record<string, string>;
}
export interface Lock {
  pool: string;
  packages: SourcePackage[];
}

export const SOURCES_LOCK = 'tools/sources.lock.json';
export const readLock = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Lock;
const buildLock = readLock(SOURCES_LOCK);

export function fetchedSource(name: string, lock: Lock = buildLock): string {
  const found = lock.packages.find((candidate) => candidate.name === name);
  if (!found) throw new BuildError('LOCK', `Cannot find source "${name}": not in the lock file, expected one of its packages`);
  return `build/sources/${found.name}-${found.version.replaceAll('+', '_')}`;
}

function isValid(folder: string, name: string, sum: string): boolean {
  const path = join(folder, name);
  return existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === sum;
}

const missingFiles = (source: SourcePackage, folder: string) =>
  Object.entries(source.files).filter(([name, sum]) => !isValid(folder, name, sum));

/** apt's own client, with state and lists of our own, so that the machine's configuration stays as it is. */
async function fetchByApt(source: SourcePackage, folder: string): Promise<void> {
  if ((await runCommand('sh', ['-c', 'command -v apt-get'])).status !== 0) return;
  const state = resolve('build/apt');
  for (const part of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, part), { recursive: true });
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const signed = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  writeFileSync(
    join(state, 'sources.list'),
    ['bookworm', 'bookworm-updates'].map((suite) => `deb-src ${signed}http://deb.debian.org/debian ${suite} main\n`).join(''),
  );
  const options = [
    `Dir::Etc::sourcelist=${join(state, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    'Acquire::Retries=3',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const updated = await runCommand('apt-get', [...options, '-qq', 'update'], { env });
  if (updated.status !== 0) return;
  await runCommand('apt-get', [...options, '-qq', 'source', '--download-only', `${source.name}=${source.version}`], {
    cwd: folder,
    env,
  });
}

async function fetchByHttps(source: SourcePackage, folder: string, lock: Lock): Promise<void> {
  for (const [name] of missingFiles(source, folder)) {
    const url = `${lock.pool}/${source.directory}/${name.replaceAll('+', '%2B')}`;
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(url);
        if (!response.ok) throw new Error(`HTTP status ${response.status}`);
        writeFileSync(join(folder, name), Buffer.from(await response.arrayBuffer()));
        break;
      } catch (cause) {
        if (attempt < 3) continue;
        const why = (cause as Error).cause ?? cause;
        throw new BuildError('FETCH', `Cannot fetch "${url}": ${(why as Error).message}, expected the file`, { cause });
      }
    }
  }
}

/** Unpacks with dpkg-source where there is one; else with tar and patch, which is all that these packages need. */
async function unpackSource(source: SourcePackage, folder: string, target: string): Promise<void> {
  const fresh = `${target}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const names = Object.keys(source.files);
  if ((await runCommand('sh', ['-c', 'command -v dpkg-source'])).status === 0) {
    const dsc = names.find((name) => name.endsWith('.dsc')) as string;
    await mustRun('dpkg-source', ['--no-check', '-x', join(folder, dsc), fresh]);
  } else {
    mkdirSync(fresh, { recursive: true });
    const original = names.find((name) => name.includes('.orig.')) as string;
    const debian = names.find((name) => name.includes('.debian.')) as string;
    await mustRun('tar', ['-xf', join(folder, original), '--strip-components=1', '-C', fresh]);
    await mustRun('tar', ['-xf', join(folder, debian), '-C', fresh]);
    const series = join(fresh, 'debian/patches/series');
    const patches = existsSync(series) ? readFileSync(series, 'utf8').split('\n') : [];
    for (const patch of patches.map((line) => line.trim()).filter((line) => line && !line.startsWith('#'))) {
      await mustRun('patch', ['-p1', '-s', '-d', fresh, '-i', resolve(fresh, 'debian/patches', patch)]);
    }
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
}

/** Makes sure that every package is there, unpacked; the marker file names the exact contents. */
export async function fetchSources(lock: Lock = buildLock): Promise<string> {
  const fetched: string[] = [];
  for (const source of lock.packages) {
    const target = fetchedSource(source.name, lock);
    const marker = join(target, '.hull-source');
    const identity = JSON.stringify(source.files);
    if (existsSync(marker) && readFileSync(marker, 'utf8') === identity) continue;
    const folder = 'build/sources/files';
    mkdirSync(folder, { recursive: true });
    if (missingFiles(source, folder).length > 0) {
      const scratch = mkdtempSync('build/sources/fetch-');
      await fetchByApt(source, scratch);
      for (const [name, sum] of Object.entries(source.files)) {
        if (isValid(scratch, name, sum)) copyFileSync(join(scratch, name), join(folder, name));
      }
      rmSync(scratch, { recursive: true, force: true });
    }
    await fetchByHttps(source, folder, lock);
    for (const [name] of missingFiles(source, folder)) {
      throw new BuildError('SUM', `Cannot use "${name}": its SHA-256 differs, expected the one in the lock file`);
    }
    await unpackSource(source, folder, target);
    writeFileSync(marker, identity);
    fetched.push(`${source.name} ${source.version}`);
  }
  return fetched.length > 0 ? `fetched ${fetched.join(', ')}` : 'sources are there';
}
