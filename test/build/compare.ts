/**
 * The Dockerfiles of shows/, built by hull and by buildah from the same base images: config and file tree (paths, kinds, modes, owners, content, links, attributes) must be
 * equal; umoci and skopeo must take hull's layout. Not part of npm test: it downloads packages and needs root, mmdebstrap, buildah, umoci and skopeo.
 * Usage: node tools/run.mjs test/build/compare.ts [FOLDER [SHOW...]]; FOLDER keeps base images for the next time. `--times` adds how long builds take.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readLayer } from '../../images/layers/index.ts';
import { type ContainerConfig, openStore, parseConfig } from '../../images/store/index.ts';

const BASES: Record<string, string> = { 'c-base': 'gcc,libc6-dev,make', 'go-base': 'golang-go', 'py-base': 'python3-venv,python3-pip', 'nginx-base': 'nginx-light', 'node-base': 'nodejs' };
const NEEDS: Record<string, string | undefined> = { c: 'c-base', go: 'go-base', python: 'py-base', nginx: 'nginx-base', node: 'node-base', scratch: undefined };

const given = process.argv.slice(2).filter((text) => text !== '--times');
const withTimes = process.argv.includes('--times');
const folder = given[0] === undefined ? mkdtempSync(join(tmpdir(), 'hull-compare-')) : resolve(given[0]);
const shows = given.length > 1 ? given.slice(1) : Object.keys(NEEDS);
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(folder, 'state') };
const hull = resolve('dist/hull');
const layout = join(folder, 'state/images');
const buildah = (...args: string[]) => execFileSync('buildah', ['--root', join(folder, 'storage'), '--runroot', join(folder, 'run'), '--storage-driver', 'overlay', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 });

function makeBase(name: string): void {
  const store = openStore(layout);
  if (store.find(name) === undefined) {
    const archive = join(folder, `${name.replace('-base', '')}.tar`);
    if (!existsSync(archive)) {
      const part = `${archive.slice(0, -4)}.part.tar`;
      execFileSync('mmdebstrap', ['--variant=essential', `--include=${BASES[name]}`, 'bookworm', part], { stdio: 'ignore' });
      renameSync(part, archive);
    }
    const context = join(folder, `context-${name}`);
    mkdirSync(context, { recursive: true });
    cpSync(archive, join(context, 'root.tar'));
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nADD root.tar /\nCMD ["bash"]\n');
    execFileSync(hull, ['build', '-q', '-t', name, context], { env });
    rmSync(context, { recursive: true });
  }
  if (!buildah('images', '--format', '{{.Name}}').includes(`localhost/${name}`)) {
    const id = buildah('pull', `oci:${layout}:docker.io/library/${name}:latest`).trim().split('\n').at(-1) as string;
    buildah('tag', id, `localhost/${name}:latest`);
  }
}

/** Path -> everything about a file but its times. */
async function readTree(stream: AsyncIterable<Uint8Array>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of readLayer(stream, { isPlain: true })) {
    if (entry.path === '') continue;
    const hash = createHash('sha256');
    for await (const chunk of entry.content()) hash.update(chunk);
    const xattrs = [...(entry.xattrs ?? [])].filter(([name]) => !name.startsWith('trusted.overlay.')).map(([name, value]) => `${name}=${value.toString('hex')}`);
    const about = `${entry.kind} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${entry.size} ${entry.target ?? ''} ${entry.kind === 'file' ? hash.digest('hex') : ''} ${xattrs}`;
    found.set(entry.path, entry.kind === 'hardlink' ? (found.get(entry.target as string) ?? about) : about);
  }
  return found;
}

const PARTS: readonly (keyof ContainerConfig)[] = ['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'Volumes', 'WorkingDir', 'Labels', 'StopSignal', 'Healthcheck', 'Shell', 'OnBuild'];

/** buildah's marks are its own, and what is empty is not there. */
function readConfig(config: ContainerConfig | undefined): string {
  const isEmpty = (value: unknown) => value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
  const sorted = (value: unknown): unknown => (typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'io.buildah.version').sort()) : value);
  return JSON.stringify(PARTS.flatMap((part) => (isEmpty(sorted(config?.[part])) ? [] : [[part, sorted(config?.[part])]])), null, 1);
}

async function* streamFile(path: string): AsyncGenerator<Uint8Array> {
  const { createReadStream } = await import('node:fs');
  yield* createReadStream(path) as AsyncIterable<Buffer>;
}

function time(action: () => void): number {
  const begun = process.hrtime.bigint();
  action();
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

async function compareShow(show: string): Promise<string[]> {
  const problems: string[] = [];
  const base = NEEDS[show];
  if (base !== undefined) makeBase(base);
  const context = join(folder, `show-${show}`);
  rmSync(context, { recursive: true, force: true });
  cpSync(join('test/build/shows', show), context, { recursive: true });
  if (show === 'scratch') execFileSync('cp', ['/bin/busybox', context]);
  const archive = join(folder, `${show}-files.tar`);
  const hullBuild = (...more: string[]) => {
    const { status, stderr } = spawnSync(hull, ['build', '--progress', 'plain', '-t', `show-${show}`, ...more, context], { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`hull build of ${show} ends with ${status}:\n${stderr}`);
  };
  const buildahBuild = (...more: string[]) => buildah('bud', '--isolation', 'chroot', '--layers', '--format', 'docker', '-t', `show-${show}`, ...more, context);
  const cold = time(() => hullBuild('--no-cache'));
  const warm = time(() => hullBuild());
  hullBuild('-o', `type=tar,dest=${archive}`, '-o', 'type=image');
  const theirCold = time(() => buildahBuild('--no-cache'));
  const theirWarm = time(() => buildahBuild());
  if (withTimes) console.log(`${show}: cold ${cold.toFixed(1)} s (buildah ${theirCold.toFixed(1)}), warm ${warm.toFixed(2)} s (buildah ${theirWarm.toFixed(2)})`);

  const container = buildah('from', `localhost/show-${show}`).trim();
  const mounted = buildah('mount', container).trim();
  const theirs = join(folder, `${show}-theirs.tar`);
  execFileSync('tar', ['-C', mounted, '--sort=name', '--format=pax', '--xattrs', '--xattrs-include=security.*', '--numeric-owner', '-cf', theirs, '.']);
  buildah('umount', container);
  const inspected = JSON.parse(buildah('inspect', '--type', 'image', `localhost/show-${show}`)) as { Docker: { config: ContainerConfig } };
  buildah('rm', container);

  const [ours, other] = [await readTree(streamFile(archive)), await readTree(streamFile(theirs))];
  // buildah leaves the empty files on which it mounted its own.
  for (const path of ['etc/hosts', 'etc/resolv.conf']) if (!ours.has(path) && / 0:0 0 {2}e3b0c442/.test(other.get(path) ?? '')) other.delete(path);
  for (const path of new Set([...ours.keys(), ...other.keys()])) {
    if (ours.get(path) !== other.get(path)) problems.push(`${show}: /${path}\n  hull    ${ours.get(path) ?? 'absent'}\n  buildah ${other.get(path) ?? 'absent'}`);
  }
  const image = openStore(layout).resolve(`show-${show}`);
  const [config, theirConfig] = [readConfig(parseConfig(Buffer.from(JSON.stringify(image.config)), show).config), readConfig(inspected.Docker.config)];
  if (config !== theirConfig) problems.push(`${show}: config\n--- hull\n${config}\n--- buildah\n${theirConfig}`);
  console.log(`${show}: ${ours.size} files, ${problems.length} differences`);

  execFileSync('skopeo', ['copy', '-q', `oci:${layout}:docker.io/library/show-${show}:latest`, `oci:${join(folder, 'copied')}:show-${show}`]);
  const bundle = join(folder, 'bundle');
  rmSync(bundle, { recursive: true, force: true });
  execFileSync('umoci', ['unpack', '--image', `${join(folder, 'copied')}:show-${show}`, bundle], { stdio: ['ignore', 'ignore', 'pipe'] });
  const unpacked = readdirSync(join(bundle, 'rootfs')).length;
  if (unpacked === 0) problems.push(`${show}: umoci unpacks nothing`);
  rmSync(bundle, { recursive: true, force: true });
  return problems;
}

const problems: string[] = [];
for (const show of shows) problems.push(...(await compareShow(show)));
for (const problem of problems.slice(0, 60)) console.log(problem);
console.log(problems.length === 0 ? 'equal' : `${problems.length} differences`);
if (given[0] === undefined) rmSync(folder, { recursive: true, force: true });
process.exitCode = problems.length === 0 ? 0 : 1;
