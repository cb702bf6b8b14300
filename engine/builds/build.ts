/**
 * `hull build` of a Dockerfile. Owns: the build's surroundings: context and Dockerfile from where they are, store, cache, screen, and where the result goes. Rules: the
 * image's ID is the last thing that is written, to stdout when quiet; a signal ends what the build started; nothing is left in the
 * work folder when the build ends, and what a killed one left goes with the next.
 */
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  archiveFilesystem,
  type BuildContext,
  BuildError,
  buildStages,
  describeUnused,
  evictOld,
  exportFilesystem,
  openArguments,
  isGit,
  openDirectoryContext,
  openGitContext,
  openLayerCache,
  openProgress,
  openWorkFolder,
  type Progress,
  readArchiveContext,
  removeTree,
  type Session,
  storeImage,
  type WorkFolder,
} from '../../images/build/index.ts';
import { parseDockerfile } from '../../images/dockerfile/index.ts';
import type { HttpClient } from '../../images/registry/index.ts';
import { type Descriptor, formatPlatform, HOST_PLATFORM, matchesPlatform, type Image, type Lease, openStore, type Platform, type Store } from '../../images/store/index.ts';
import { describeSystemError } from '../errors.ts';
import type { RunHost } from '../prepare.ts';
import { findStatePaths, type StatePaths, writeAtomically } from '../state/index.ts';
import { type BuildRequest, checkRequest, type CheckedRequest, type Output } from './request.ts';

export interface BuildStreams {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WriteStream;
}

interface Sources {
  readonly context: BuildContext;
  readonly name: string;
  readonly text: string;
  readonly mtimeNs: bigint;
}

const NS_PER_MS = 1_000_000n;

/** The ID of the image that was made; undefined: another output. */
export async function buildDockerfile(typed: BuildRequest, dist: string, streams: BuildStreams): Promise<string | undefined> {
  const { request, labels } = await applyHullFile(typed, dist);
  const checked = { ...checkRequest(request), machineLabels: labels };
  const paths = findStatePaths(request.env);
  const store = openStore(paths.images);
  const cacheFolder = join(paths.cache, 'build');
  const work = openWorkFolder(cacheFolder, removeTree);
  const children = new Set<ChildProcess>();
  let http: HttpClient | undefined;
  const stop = (signal: NodeJS.Signals) => {
    for (const child of children) child.kill('SIGKILL');
    work.remove();
    process.exit(128 + (signal === 'SIGINT' ? 2 : signal === 'SIGHUP' ? 1 : 15));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
  try {
    const progress = openScreen(request, streams.stderr);
    const { context, name, text, mtimeNs } = await openSources(request, work, streams.stdin);
    const dockerfile = parseDockerfile(name, text);
    const cache = openLayerCache(cacheFolder, work, store);
    const openSession = (platform: Platform): Session => ({
      dockerfile,
      context,
      contexts: new Map([...checked.contexts].map(([each, path]) => [each, openDirectoryContext(resolve(path))])),
      settings: {
        platform,
        isOneOfSeveral: checked.platforms.length > 1,
        network: checked.network,
        secrets: checked.secrets,
        agents: checked.agents,
        noCache: request.noCache,
        epoch: checked.epoch,
        mtimeNs,
      },
      host: {
        findImage: (image, wanted) => findImage({ store, paths, progress, isFresh: request.pulls, host: { env: request.env, dist } }, image, wanted),
        async fetchUrl(url) {
          http ??= (await import('../ship/index.ts')).openHttp(paths, { env: request.env, dist });
          return http.send({ method: 'GET', url });
        },
        now: () => new Date(),
        become: join(dist, 'bin/hull-become-x86_64'),
        started(child) {
          children.add(child);
          child.once('close', () => children.delete(child));
        },
      },
      cache,
      work,
      progress,
      arguments: openArguments(checked.buildArgs, platform, HOST_PLATFORM),
      built: new Map(),
      images: new Map(),
    });
    const built: BuiltPlatform[] = [];
    for (const platform of checked.platforms) {
      const session = openSession(platform);
      built.push({ session, stage: await buildStages(session, request.target) });
    }
    for (const line of new Set(built.flatMap(({ session }) => describeUnused(session.arguments)))) progress.warn(line);
    const outputs: readonly Output[] = checked.outputs.length === 0 ? [{ kind: 'image' }] : checked.outputs;
    let id: string | undefined;
    for (const output of outputs) {
      if (output.kind === 'image') id = await writeImage(built, store, checked, request.iidFile, { env: request.env, dist });
      else if (output.kind === 'local') await exportAll(built, output.path);
      else if (built.length > 1) throw new BuildError('option-invalid', `Cannot write "${output.path}": one archive for ${built.length} platforms, expected type=local, or one platform`);
      else await writeArchive(archiveFilesystem((built[0] as BuiltPlatform).session, (built[0] as BuiltPlatform).stage), output.path, streams.stdout);
    }
    evictOld(cacheFolder, Date.now(), readLimit(request.env));
    return id;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.removeListener(signal, stop);
    http?.close();
    work.remove();
  }
}

/** -f hull.yaml, or a hull.yaml beside the Dockerfile. */
async function applyHullFile(request: BuildRequest, dist: string): Promise<{ request: BuildRequest; labels: ReadonlyMap<string, string> }> {
  const isNamed = request.file !== undefined && /\.ya?ml$/.test(request.file);
  const path = isNamed ? resolve(request.file as string) : request.context === '-' || isGit(request.context) ? undefined : join(resolve(request.context), 'hull.yaml');
  if (path === undefined || (!isNamed && statSync(path, { throwIfNoEntry: false }) === undefined)) return { request, labels: new Map() };
  const components = Object.values(JSON.parse(readFileSync(join(dist, 'libos/x86_64/components.json'), 'utf8')) as { name: string }[]).map(({ name }) => name);
  const { readHullFile } = await import('./hull-file.ts');
  const { dockerfile, labels } = readHullFile(path, components);
  const file = isNamed ? (dockerfile === undefined ? undefined : join(dirname(path), dockerfile)) : (request.file ?? (dockerfile === undefined ? undefined : join(dirname(path), dockerfile)));
  return { request: { ...request, file }, labels };
}

/** HULL_BUILD_CACHE: bytes that the build cache may have. */
function readLimit(env: NodeJS.ProcessEnv): number | undefined {
  const text = env['HULL_BUILD_CACHE'];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function openScreen(request: BuildRequest, stderr: NodeJS.WriteStream): Progress {
  const isTerminal = request.progress === 'tty' || (request.progress === 'auto' && stderr.isTTY === true);
  const kind = request.isQuiet || request.progress === 'quiet' ? 'quiet' : isTerminal ? 'tty' : 'plain';
  return openProgress(kind, { write: (text) => void stderr.write(text), columns: stderr.columns ?? 80, now: () => Date.now() });
}

interface ImageSource {
  readonly store: Store;
  readonly paths: StatePaths;
  readonly progress: Progress;
  /** --pull: what the registry has now counts. */
  readonly isFresh: boolean;
  readonly host: { readonly env: NodeJS.ProcessEnv; readonly dist: string };
}

/** An image of the store, or brought there from its registry. One that came for another platform than this is brought for both, as an index. */
async function findImage({ store, paths, progress, isFresh, host }: ImageSource, name: string, platform: Platform): Promise<Image> {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) return store.resolve(name, platform); // an ID: its error
  const found = findFor(store, name, platform);
  const isFitting = found !== undefined && matchesPlatform(found.config, platform);
  if (found !== undefined && !isFitting && found.digests.length === 0) {
    progress.warn(`"${name}" is for ${formatPlatform(found.config)}, expected ${formatPlatform(platform)}, for which this is built`);
    return found;
  }
  if (isFitting && (!isFresh || found.tags.length === 0)) return found;
  const { pullReference } = await import('../ship/index.ts');
  const step = progress.start(`[internal] pull ${name}`);
  const target = store.findTarget(name);
  const present = found !== undefined ? [found.config as Platform] : target === undefined ? [] : store.listManifests(target).flatMap((each) => each.platform ?? []);
  const several = [...present.filter((each) => !matchesPlatform(each, platform)), platform];
  try {
    await pullReference(name, several.length === 1 ? platform : several, paths, host, { blob: () => {} });
    step.done('done');
  } catch (error) {
    step.done('failed');
    throw error;
  }
  return store.resolve(name, platform);
}

/** An index that is not here for the platform is none. */
function findFor(store: Store, name: string, platform: Platform): Image | undefined {
  try {
    return store.find(name, platform);
  } catch (error) {
    if (error instanceof Error && (error as { code?: unknown }).code === 'platform-missing') return undefined;
    throw error;
  }
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Where the context and the Dockerfile come from: a directory, a git repository, an archive on stdin, or a Dockerfile on stdin and no context. */
async function openSources(request: BuildRequest, work: WorkFolder, stdin: AsyncIterable<Uint8Array>): Promise<Sources> {
  const now = BigInt(Math.floor(Date.now() / 1000)) * 1000n * NS_PER_MS;
  if (request.context === '-') {
    if (request.file === '-') throw new BuildError('option-invalid', 'Cannot read both the Dockerfile and the context from standard input, expected one of them');
    const bytes = await readAll(stdin);
    if (!isArchive(bytes)) return { context: emptyContext(), name: '-', text: bytes.toString('utf8'), mtimeNs: now };
    async function* all() {
      yield bytes;
    }
    const context = await readArchiveContext(all(), '-', work.newPath('context'));
    const name = request.file ?? 'Dockerfile';
    const text = context.readText(name);
    if (text === undefined) throw new BuildError('context-invalid', `Cannot read "${name}": not in the archive on standard input, expected a Dockerfile there; -f names another`);
    context.ignore(name);
    return { context, name, text, mtimeNs: 0n };
  }
  if (isGit(request.context)) return openRepository(request, work);
  const folder = resolve(request.context);
  const context = openDirectoryContext(folder);
  if (request.file === '-') {
    context.ignore(undefined);
    return { context, name: '-', text: (await readAll(stdin)).toString('utf8'), mtimeNs: now };
  }
  const path = request.file === undefined ? findDockerfile(folder) : resolve(request.file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new BuildError('context-invalid', `Cannot read "${path}": ${describeSystemError(error)}, expected a Dockerfile; -f names another`, { cause: error });
  }
  context.ignore(path);
  const mtimeNs = BigInt(Math.floor(statSync(path).mtimeMs / 1000)) * 1000n * NS_PER_MS;
  return { context, name: path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path, text, mtimeNs };
}

/** Its Dockerfile is in it. */
async function openRepository(request: BuildRequest, work: WorkFolder): Promise<Sources> {
  const context = await openGitContext(request.context, work.newPath('context'));
  const name = request.file ?? 'Dockerfile';
  const text = context.readText(name);
  if (text === undefined) throw new BuildError('context-invalid', `Cannot read "${name}": not in "${request.context}", expected a Dockerfile there; -f names another`);
  context.ignore(name);
  return { context, name, text, mtimeNs: context.root.mtimeNs };
}

function findDockerfile(folder: string): string {
  const path = join(folder, 'Dockerfile');
  const lower = join(folder, 'dockerfile');
  return statSync(path, { throwIfNoEntry: false }) === undefined && statSync(lower, { throwIfNoEntry: false }) !== undefined ? lower : path;
}

function emptyContext(): BuildContext {
  return { name: 'the empty context', root: { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, size: 0, children: new Map() }, readText: () => undefined, ignore() {} };
}

/** gzip, zstd, xz, bzip2 or a tar header; a Dockerfile is text. */
function isArchive(bytes: Buffer): boolean {
  const isCompressed = ['1f8b', '28b52ffd', 'fd377a585a00', '425a68'].some((magic) => bytes.toString('hex', 0, 6).startsWith(magic));
  return isCompressed || bytes.toString('latin1', 257, 262) === 'ustar';
}

interface BuiltPlatform {
  readonly session: Session;
  readonly stage: Awaited<ReturnType<typeof buildStages>>;
}

/** The files of several platforms go into a folder each: linux_arm64. */
async function exportAll(built: readonly BuiltPlatform[], folder: string): Promise<void> {
  for (const { session, stage } of built) await exportFilesystem(session, stage, built.length === 1 ? folder : join(folder, formatPlatform(session.settings.platform).replaceAll('/', '_')));
}

/** The image's ID; of several platforms, the digest of their index. */
async function writeImage(built: readonly BuiltPlatform[], store: Store, checked: CheckedRequest & { readonly machineLabels: ReadonlyMap<string, string> }, iidFile: string | undefined, host: RunHost): Promise<string> {
  const [first] = built as [BuiltPlatform];
  return store.withLease(async (lease) => {
    const step = first.session.progress.start('exporting to image');
    const show = (text: string) => step.output('stderr', Buffer.from(`${text}\n`));
    const labels = new Map([...checked.machineLabels, ...checked.labels]);
    const manifests: Descriptor[] = [];
    for (const { session, stage } of built) {
      const plain = await storeImage(session, store, lease, stage, { labels });
      manifests.push(await addKernel(store, lease, plain, session, host));
    }
    const descriptor = built.length === 1 ? (manifests[0] as Descriptor) : await store.putIndex(lease, manifests);
    await store.tag(descriptor, checked.tags);
    if (built.length > 1) {
      for (const [i, { session }] of built.entries()) show(`writing image ${store.selectImage(manifests[i] as Descriptor, 'the image', session.settings.platform).id} for ${formatPlatform(session.settings.platform)}`);
    }
    const id = built.length === 1 ? store.resolve(descriptor.digest, first.session.settings.platform).id : descriptor.digest;
    show(`writing image ${id}`);
    for (const { canonical } of checked.tags) show(`naming to ${canonical}`);
    step.done('done');
    if (iidFile !== undefined) writeAtomically(resolve(iidFile), id, 0o644);
    return id;
  });
}

/** Loaded where a label asks for it only. */
async function addKernel(store: Store, lease: Lease, plain: Descriptor, session: Session, host: RunHost): Promise<Descriptor> {
  const image = store.selectImage(plain, 'the image', session.settings.platform);
  if (image.config.config?.Labels?.['hull.kernel'] === undefined) return plain;
  const { buildKernel } = await import('../oci/index.ts');
  return buildKernel(store, lease, image, 'the image', host);
}

async function writeArchive(bytes: AsyncIterable<Uint8Array>, path: string, stdout: NodeJS.WritableStream): Promise<void> {
  if (path === '-') {
    for await (const chunk of bytes) if (!stdout.write(chunk)) await new Promise<void>((done) => stdout.once('drain', done));
    return;
  }
  const { rename, unlink } = await import('node:fs/promises');
  const fresh = `${path}.tmp-${process.pid}-0`;
  try {
    await pipeline(Readable.from(bytes, { objectMode: false }), createWriteStream(fresh));
    await rename(fresh, path);
  } catch (error) {
    await unlink(fresh).catch(() => undefined);
    throw error instanceof Error && 'syscall' in error
      ? new BuildError('output-unwritable', `Cannot write "${path}": ${describeSystemError(error)}, expected to write the archive there`, { cause: error })
      : error;
  }
}
