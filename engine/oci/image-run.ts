/**
 * An image and what was asked for -> what is run. Owns: how config and options come together, as Docker has it (docs.docker.com, "docker container run"; moby's daemon/create):
 * Entrypoint and Cmd, environment, user, working directory. Rule: names are looked up in the image's own files.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { type ErofsReader, openErofs } from '../../images/index.ts';
import { type ContainerConfig, type Image, matchesPlatform, openStore, type Platform, readPlatform, type Store } from '../../images/store/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import type { RequestImage } from '../prepare.ts';
import type { StatePaths } from '../state/index.ts';
import { findChainImage } from './root.ts';
import { findImageUser, type ImageUser } from './users.ts';

/** What a person may say about a run, besides its image; undefined or empty: as the image has it. */
export interface ImageRunRequest {
  /** Name, digest or ID. */
  readonly image: string;
  /** "linux/arm64"; absent: linux/amd64. */
  readonly platform?: string | undefined;
  /** In place of the image's Entrypoint; then its Cmd does not hold either. "" is none. */
  readonly entrypoint?: string | undefined;
  readonly args: readonly string[];
  /** "name", "uid", "name:group", "uid:gid". */
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
}

export interface ImageRun {
  /** The image's ID. */
  readonly id: string;
  /** As it was asked for. */
  readonly name: string;
  /** "linux/arm64"; absent: linux/amd64. */
  readonly platform?: string | undefined;
  /** The EROFS image of its files. */
  readonly disk: string;
  /** Entrypoint and Cmd as they are in force; the first is the program. */
  readonly argv: readonly string[];
  /** NAME=VALUE, HOME first. */
  readonly env: readonly string[];
  readonly workdir: string;
  readonly user: ImageUser;
  /** Its config's User, as it is written there. */
  readonly userName: string | undefined;
  readonly stopSignal: number | undefined;
  /** "80/tcp". */
  readonly ports: readonly string[];
  /** Paths at which Docker makes anonymous volumes. */
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly health: RequestImage['health'];
}

/** The image; an error with Docker's words where there is none. */
export function resolveImage(store: Store, name: string, platform?: Platform): Image {
  try {
    return store.resolve(name, platform);
  } catch (error) {
    throw toEngineError(error);
  }
}

/** Store errors that a person meets as a missing image keep Docker's words and the engine's exit code. */
function toEngineError(error: unknown): unknown {
  if (error instanceof Error && error.name === 'StoreError' && (error as { code?: string }).code === 'image-missing') {
    return new EngineError('image-missing', error.message, { cause: error });
  }
  return error;
}

/** Whether the store has it; a name that is none is an error. */
export const hasImage = (name: string, paths: StatePaths, platform?: string): boolean => openImages(paths).find(name, readPlatform(platform)) !== undefined;

export const openImages = (paths: StatePaths): Store => openStore(paths.images);

export async function openImageRun(request: ImageRunRequest, paths: StatePaths, env: NodeJS.ProcessEnv): Promise<ImageRun> {
  return openRunOf(resolveImage(openImages(paths), request.image, readPlatform(request.platform)), request, paths, env);
}

/** The same of an image that is at hand and may have no name yet. */
export async function openRunOf(image: Image, request: ImageRunRequest, paths: StatePaths, env: NodeJS.ProcessEnv): Promise<ImageRun> {
  const store = openImages(paths);
  const { os, architecture } = image.config;
  if (os !== 'linux' || (architecture !== 'amd64' && architecture !== 'arm64')) {
    throw new EngineError('image-invalid', `Cannot run "${request.image}": it is for ${os}/${architecture}, expected an image for linux/amd64 or linux/arm64`);
  }
  if (request.platform !== undefined && !matchesPlatform({ os, architecture }, readPlatform(request.platform))) {
    throw new EngineError('image-invalid', `Cannot run "${request.image}" on "${request.platform}": the image that is here is for ${os}/${architecture}, expected one for that platform (hull pull --platform)`);
  }
  const config = image.config.config ?? {};
  const hasEntrypoint = request.entrypoint !== undefined;
  const entrypoint = hasEntrypoint ? [request.entrypoint].filter((each) => each !== '') : (config.Entrypoint ?? []);
  const command = request.args.length > 0 ? request.args : hasEntrypoint ? [] : (config.Cmd ?? []);
  const argv = [...entrypoint, ...command] as string[];
  if (argv.length === 0) throw new EngineError('image-invalid', `No command specified: Cannot run "${request.image}": it has neither Entrypoint nor Cmd, expected a command behind its name`);
  const disk = await findChainImage(paths.chains, store, image, env);
  const user = withFiles(disk, (files) => findImageUser(request.user ?? config.User ?? '', { read: (path) => files.read(path, 16 * 2 ** 20)?.toString() }));
  const own = (config.Env ?? []).filter((entry) => entry.indexOf('=') > 0);
  return {
    id: image.id,
    name: request.image,
    platform: architecture === 'arm64' ? 'linux/arm64' : undefined,
    disk,
    argv,
    env: [`HOME=${user.home}`, ...own],
    workdir: request.workdir ?? (config.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir),
    user,
    userName: config.User,
    stopSignal: parseStopSignal(config.StopSignal),
    ports: Object.keys(config.ExposedPorts ?? {}),
    volumes: Object.keys(config.Volumes ?? {}),
    labels: config.Labels ?? {},
    health: readHealthcheck(config.Healthcheck),
  };
}

/** An empty Test is none of its own. */
function readHealthcheck(check: ContainerConfig['Healthcheck']): RequestImage['health'] {
  if (check?.Test === undefined || check.Test.length === 0) return undefined;
  return { test: check.Test, interval: check.Interval, timeout: check.Timeout, startPeriod: check.StartPeriod, startInterval: check.StartInterval, retries: check.Retries };
}

/** "SIGQUIT", "quit", "3", "SIGRTMIN+3" (signal(7)); one that Linux does not have is none. */
function parseStopSignal(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64 ? Number(text) : undefined;
  const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  const [, base, sign, offset] = /^(SIGRTMIN|SIGRTMAX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  if (base !== undefined) return (base === 'SIGRTMIN' ? 34 : 64) + Number(offset ?? 0) * (sign === '-' ? -1 : 1);
  return (constants.signals as Record<string, number | undefined>)[name];
}

/** The EROFS image of an image that was opened before: made again when the cache has it no more. */
export async function findImageDisk(image: { readonly id: string; readonly disk: string }, paths: StatePaths, env: NodeJS.ProcessEnv): Promise<string> {
  if (existsSync(image.disk)) return image.disk;
  const store = openImages(paths);
  return findChainImage(paths.chains, store, resolveImage(store, image.id), env);
}

/** Does `action` with what is in an EROFS image. */
export function withFiles<T>(disk: string, action: (files: ErofsReader) => T): T {
  let files: ErofsReader;
  try {
    files = openErofs(disk);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new EngineError('state-failed', `Cannot read "${disk}": ${describeSystemError(error)}, expected an image of a root file system`, { cause: error });
  }
  try {
    return action(files);
  } finally {
    files.close();
  }
}
