/**
 * A container as the API is asked for it -> an instance's spec. Owns: what each field means for a machine, and what is said about those that mean nothing. Rules: options of a client are values, never
 * parts of a command; what cannot be met is refused when the container is created, what has no meaning here is a warning.
 */
import { posix } from 'node:path';
import { formatPlatform, openStore, parsePlatform } from '../../../images/store/index.ts';
import { applyImage } from '../../apply-image.ts';
import { findInstance, type InstanceSpec } from '../../instances/index.ts';
import { isProgramPath } from '../../program.ts';
import type { RunRequest } from '../../prepare.ts';
import { makeImageVolumes, type MountRequest, parseTmpfsOption, parseVolumeOption, VOLUME_NAME } from '../../volumes/index.ts';
import { ApiError } from '../error.ts';
import type { ApiContext } from '../route.ts';
import { parseSignal } from '../signals.ts';
import { checkCreateBody, type CreateBody, type HostConfigBody, type MountBody } from './body.ts';
import { checkPlatform, findIgnored, refuseUnmet } from './unmet.ts';

const DEFAULT_MEMORY = 256 * 1024 * 1024;
const LEAST_MEMORY = 6 * 1024 * 1024;
const SHARED_MEMORY = '/dev/shm';
const RESTARTS: readonly string[] = ['no', 'always', 'unless-stopped', 'on-failure'];
const refuse = (message: string) => new ApiError('parameter-invalid', message);

/** What others have mounted, but for what this one has at the same place itself (moby, daemon/volumes.go: `container[:ro|rw]`). */
async function findVolumesFrom(host: HostConfigBody, { paths }: ApiContext): Promise<MountRequest[]> {
  const mounts: MountRequest[] = [];
  for (const text of host.VolumesFrom ?? []) {
    const [, name = '', mode] = /^([^:]*)(?::(.*))?$/.exec(text) ?? [];
    if (name === '') throw refuse(`malformed volumes-from specification: ${text}`);
    if (mode !== undefined && mode !== 'ro' && mode !== 'rw') throw refuse(`invalid mode: ${mode}`);
    const { config } = await findInstance(paths, name).catch((error: Error) => {
      throw refuse(error.message); // not 404: clients take that for a missing image
    });
    for (const mount of config.request.mounts) {
      if (mount.type === 'tmpfs') continue;
      mounts.push({ ...mount, isOfImage: undefined, source: mount.source ?? config.anonymous[mount.target], readOnly: mount.readOnly || mode === 'ro' });
    }
  }
  return mounts;
}

function readMounts(body: Partial<CreateBody>, host: HostConfigBody, ofImage: readonly string[], ofOthers: readonly MountRequest[]): MountRequest[] {
  const mounts = [
    ...(host.Binds ?? []).map(readBind),
    ...(host.Mounts ?? []).map(readMount),
    ...Object.entries(host.Tmpfs ?? {}).map(([target, options]) => parseTmpfsOption(options === '' ? target : `${target}:${options}`)),
  ];
  const targets = new Set<string>();
  for (const { target } of mounts) {
    if (targets.has(target)) throw refuse(`Duplicate mount point: ${target}`);
    targets.add(target);
  }
  for (const mount of ofOthers) {
    if (targets.has(mount.target)) continue;
    targets.add(mount.target);
    mounts.push(mount);
  }
  if ((host.ShmSize ?? 0) > 0 && !targets.has(SHARED_MEMORY)) mounts.push(parseTmpfsOption(`${SHARED_MEMORY}:size=${host.ShmSize},mode=1777`));
  for (const path of Object.keys(body.Volumes ?? {})) {
    const request = parseVolumeOption(posix.normalize(path));
    if (targets.has(request.target)) continue;
    targets.add(request.target);
    mounts.push(request);
  }
  return [...mounts, ...makeImageVolumes(ofImage.map((path) => posix.normalize(path)), mounts)];
}

/** The client's directory is not ours: a path that begins there means nothing here. */
function readBind(text: string): MountRequest {
  if (/^[.~]/.test(text)) throw refuse(`invalid volume specification: '${text}': invalid mount config: mount path must be absolute`);
  return parseVolumeOption(text);
}

function readMount({ Type = 'volume', Source, Target, ReadOnly, BindOptions, VolumeOptions, TmpfsOptions }: MountBody): MountRequest {
  const bad = (what: string) => refuse(`invalid mount config for type "${Type}": ${what}`);
  if (Target === undefined || Target === '') throw bad('field Target must not be empty');
  if (!Target.startsWith('/')) throw bad(`invalid mount path: '${Target}' mount path must be absolute`);
  const target = posix.normalize(Target).replace(/(?<=.)\/$/, '');
  if (target === '/') throw bad(`invalid specification: destination can't be '/'`);
  const readOnly = ReadOnly === true;
  const source = Source === '' ? undefined : Source;
  switch (Type) {
    case 'bind':
      if (source === undefined) throw bad('field Source must not be empty');
      if (!source.startsWith('/')) throw bad(`invalid mount path: '${source}' mount path must be absolute`);
      return { type: 'bind', source: posix.normalize(source), target, readOnly, create: BindOptions?.CreateMountpoint === true };
    case 'volume':
      if (source !== undefined && !VOLUME_NAME.test(source)) throw refuse(`create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
      return { type: 'volume', source, target, readOnly, noCopy: VolumeOptions?.NoCopy === true, subpath: VolumeOptions?.Subpath };
    case 'tmpfs': {
      if (source !== undefined) throw bad('field Source must not be specified');
      const options = [...(TmpfsOptions?.SizeBytes === undefined ? [] : [`size=${TmpfsOptions.SizeBytes}`]), ...(TmpfsOptions?.Mode === undefined ? [] : [`mode=${TmpfsOptions.Mode.toString(8)}`]), ...(readOnly ? ['ro'] : [])];
      return parseTmpfsOption(options.length === 0 ? target : `${target}:${options.join(',')}`);
    }
    default:
      throw refuse(`mount type unknown: "${Type}"`);
  }
}

function readPorts(host: HostConfigBody, exposed: readonly string[]): string[] {
  const published = Object.entries(host.PortBindings ?? {}).flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostIp = '', HostPort = '' }) => {
      const address = HostIp.includes(':') ? `[${HostIp}]` : HostIp;
      return address === '' ? `${HostPort === '' ? '' : `${HostPort}:`}${port}` : `${address}:${HostPort}:${port}`;
    }),
  );
  const bound = new Set(Object.keys(host.PortBindings ?? {}));
  return host.PublishAllPorts === true ? [...published, ...exposed.filter((port) => !bound.has(port))] : published;
}

/** Bytes. */
export function checkMemory(memory: number): number {
  if (memory < LEAST_MEMORY) throw refuse('Minimum memory limit allowed is 6MB');
  return memory;
}

export function readRestart(host: HostConfigBody): InstanceSpec['restart'] {
  const name = host.RestartPolicy?.Name ?? '';
  const most = host.RestartPolicy?.MaximumRetryCount ?? 0;
  if (name !== '' && !RESTARTS.includes(name)) throw refuse(`invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  if (most !== 0 && name !== 'on-failure') throw refuse(`invalid restart policy: maximum retry count can only be used with 'on-failure'`);
  if (most < 0) throw refuse('invalid restart policy: maximum retry count cannot be negative');
  if (host.AutoRemove === true && name !== '' && name !== 'no') throw refuse("can't create 'AutoRemove' container with restart policy");
  return { name: (name === '' ? 'no' : name) as InstanceSpec['restart']['name'], most };
}

const toWords = (words: CreateBody['Cmd'] | undefined): readonly string[] | undefined => (words === null || words === undefined ? undefined : typeof words === 'string' ? [words] : words);

/** The last of several with the same name, in the place of the first. */
function mergeEnvironment(entries: readonly string[]): string[] {
  return [...new Map(entries.map((entry) => [entry.split('=', 1)[0], entry])).values()];
}

/** Options without a driver are those of the default one. */
function readLogging({ LogConfig }: HostConfigBody): InstanceSpec['logging'] {
  const driver = LogConfig?.Type ?? '';
  const options = LogConfig?.Config ?? {};
  return driver === '' && Object.keys(options).length === 0 ? undefined : { driver: driver === '' ? 'json-file' : driver, options };
}

export interface CreateQuery {
  readonly name: string | undefined;
  readonly platform: string | null;
}

export interface CreateRequest {
  readonly spec: InstanceSpec;
  readonly warnings: readonly string[];
}

export async function readCreateRequest(given: Partial<CreateBody>, { name, platform }: CreateQuery, context: ApiContext): Promise<CreateRequest> {
  const body = checkCreateBody(given);
  const host = body.HostConfig ?? {};
  const image = body.Image ?? '';
  if (image === '' || isProgramPath(image)) throw refuse(image === '' ? 'no image specified: Cannot create a container: expected the name of an image' : 'invalid reference format');
  const wanted = platform === null || platform === '' ? undefined : parsePlatform(platform);
  const { config } = openStore(context.paths.images).resolve(image, wanted); // nothing is pulled on the way: clients do that when they are told 404
  checkPlatform(wanted, image, config);
  refuseUnmet(body);
  const memory = host.Memory === undefined || host.Memory === 0 ? DEFAULT_MEMORY : checkMemory(host.Memory);
  if (body.WorkingDir !== undefined && body.WorkingDir !== '' && !body.WorkingDir.startsWith('/')) throw refuse(`the working directory '${body.WorkingDir}' is invalid, it needs to be an absolute path`);
  if (body.Hostname !== undefined && (body.Hostname.length > 64 || /[^\w.-]/.test(body.Hostname))) throw refuse(`invalid hostname format: ${body.Hostname}`);
  for (const entry of body.Env ?? []) if (entry === '' || entry.startsWith('=')) throw refuse(`invalid environment variable: ${entry}`);

  const network = readNetwork(host, body);
  const entrypoint = toWords(body.Entrypoint);
  const command = toWords(body.Cmd) ?? [];
  const typed: RunRequest = {
    program: image,
    platform: wanted && formatPlatform(wanted),
    args: [...(entrypoint ?? []).slice(1), ...command],
    entrypoint: entrypoint === undefined ? undefined : (entrypoint[0] ?? ''),
    env: (body.Env ?? []).filter((entry) => entry.includes('=')),
    workdir: body.WorkingDir === '' ? undefined : body.WorkingDir,
    mounts: [],
    hostname: body.Hostname === '' ? undefined : body.Hostname,
    network: { network: network.name, publish: [], ip: network.ip, aliases: network.aliases, dns: host.Dns ?? [], dnsSearch: host.DnsSearch ?? [], dnsOptions: host.DnsOptions ?? [], addHosts: host.ExtraHosts ?? [] },
    userName: body.User === '' ? undefined : body.User,
    memory,
    cpus: 1,
    machine: undefined,
    accelerator: 'auto',
    tty: body.Tty === true,
    verbose: false,
    stopSignal: body.StopSignal === undefined || body.StopSignal === '' ? undefined : parseSignal(body.StopSignal),
  };
  const applied = await applyImage(typed, context.host);
  const exposed = [...new Set([...(applied.image?.ports ?? []), ...Object.keys(body.ExposedPorts ?? {})].map((port) => (port.includes('/') ? port : `${port}/tcp`)))];
  const request: RunRequest = {
    ...applied,
    entrypoint: applied.entrypoint ?? applied.program,
    env: mergeEnvironment(applied.env),
    mounts: readMounts(body, host, applied.image?.volumes ?? [], await findVolumesFrom(host, context)),
    network: { ...applied.network, publish: readPorts(host, exposed) },
    stdin: body.OpenStdin === true,
    readOnly: host.ReadonlyRootfs === true || applied.readOnly === true,
  };
  const asked = body.Healthcheck ?? undefined;
  const health = asked && { test: asked.Test ?? [], interval: asked.Interval, timeout: asked.Timeout, startPeriod: asked.StartPeriod, startInterval: asked.StartInterval, retries: asked.Retries };
  return {
    warnings: findIgnored(body),
    spec: {
      name,
      request,
      image,
      imageId: applied.image?.id,
      openStdin: body.OpenStdin === true,
      stdinOnce: body.StdinOnce === true,
      labels: { ...applied.image?.labels, ...body.Labels },
      stopSignal: applied.stopSignal,
      stopTimeout: body.StopTimeout ?? undefined,
      restart: readRestart(host),
      health,
      autoRemove: host.AutoRemove === true,
      exposed,
      logging: readLogging(host),
      extra: { ...host },
    },
  };
}

/** One network a machine: the one of NetworkMode, or the first that is named. */
function readNetwork(host: HostConfigBody, body: Partial<CreateBody>): { name: string | undefined; ip: string | undefined; aliases: readonly string[] } {
  const endpoints = body.NetworkingConfig?.EndpointsConfig ?? {};
  const mode = host.NetworkMode ?? '';
  const isDefault = mode === '' || mode === 'default' || mode === 'bridge';
  const [first] = Object.keys(endpoints).filter((name) => name !== 'default' && name !== 'bridge');
  const name = isDefault ? first : mode;
  const endpoint = endpoints[name ?? 'default'];
  return { name, ip: endpoint?.IPAMConfig?.IPv4Address || undefined, aliases: endpoint?.Aliases ?? [] };
}
