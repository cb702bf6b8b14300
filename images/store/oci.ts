/**
 * What images are made of. Owns: the shapes and media types of the OCI Image Format Specification 1.1 (descriptor.md, manifest.md, image-index.md,
 * config.md) and their counterparts of Docker's Image Manifest Version 2, Schema 2; and the check of what comes from outside. Rule: what
 * passes a `parse…` function has every field that the type promises; unknown fields stay where they are.
 */
import { createHash } from 'node:crypto';
import { StoreError } from './error.ts';

export const MEDIA = {
  OCI_INDEX: 'application/vnd.oci.image.index.v1+json',
  OCI_MANIFEST: 'application/vnd.oci.image.manifest.v1+json',
  OCI_CONFIG: 'application/vnd.oci.image.config.v1+json',
  OCI_LAYER: 'application/vnd.oci.image.layer.v1.tar',
  OCI_LAYER_GZIP: 'application/vnd.oci.image.layer.v1.tar+gzip',
  OCI_LAYER_ZSTD: 'application/vnd.oci.image.layer.v1.tar+zstd',
  OCI_EMPTY: 'application/vnd.oci.empty.v1+json',
  DOCKER_INDEX: 'application/vnd.docker.distribution.manifest.list.v2+json',
  DOCKER_MANIFEST: 'application/vnd.docker.distribution.manifest.v2+json',
  DOCKER_CONFIG: 'application/vnd.docker.container.image.v1+json',
  DOCKER_LAYER_GZIP: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  DOCKER_LAYER: 'application/vnd.docker.image.rootfs.diff.tar',
} as const;

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  /** "sha256:" and 64 hexadecimal digits. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly urls?: readonly string[];
  readonly artifactType?: string;
}

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How the image's program is started (config.md, "config"); Healthcheck, Shell, OnBuild and ArgsEscaped are Docker's. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>> | null;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, object>> | null;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string;
  readonly Healthcheck?: { readonly Test?: readonly string[]; readonly Interval?: number; readonly Timeout?: number; readonly StartPeriod?: number; readonly StartInterval?: number; readonly Retries?: number };
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[] | null;
  readonly ArgsEscaped?: boolean;
}

export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

export interface ImageConfig {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly config?: ContainerConfig;
  /** Digests of the uncompressed layers, lowest first. */
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly history?: readonly HistoryEntry[];
}

export const DIGEST = /^sha256:[0-9a-f]{64}$/;
export const REF_NAME = 'org.opencontainers.image.ref.name';
/** What this host's own programs are for: the default of everything that has a platform. */
export const HOST_PLATFORM: Platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };

export const isIndexType = (mediaType: string): boolean => mediaType === MEDIA.OCI_INDEX || mediaType === MEDIA.DOCKER_INDEX;
export const isManifestType = (mediaType: string): boolean => mediaType === MEDIA.OCI_MANIFEST || mediaType === MEDIA.DOCKER_MANIFEST;

/** Layers of other kinds (foreign, encrypted, artifacts) cannot be a part of a root file system here. */
export function isLayerType(mediaType: string): boolean {
  return /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar|docker\.image\.rootfs(\.foreign)?\.diff\.tar)([.+](gzip|zstd))?$/.test(mediaType);
}

type Json = Readonly<Record<string, unknown>>;

function refuse(what: string, why: string, expected: string, cause?: unknown): StoreError {
  return new StoreError('image-invalid', `Cannot read "${what}": ${why}, expected ${expected}`, { cause });
}

function parseJson(bytes: Uint8Array, what: string, expected: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refuse(what, 'not JSON', expected, cause);
  }
  if (!isObject(value)) throw refuse(what, 'not a JSON object', expected);
  return value;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((each) => typeof each === 'string');

function checkDescriptor(value: unknown, what: string, at: string): Descriptor {
  const expected = 'a manifest as the OCI image specification has it';
  if (!isObject(value)) throw refuse(what, `${at} is no descriptor`, expected);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string' || mediaType === '') throw refuse(what, `${at}.mediaType is missing`, expected);
  if (typeof digest !== 'string' || !DIGEST.test(digest)) throw refuse(what, `${at}.digest is ${JSON.stringify(digest) ?? 'missing'}`, 'a sha256 digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw refuse(what, `${at}.size is ${JSON.stringify(size) ?? 'missing'}`, 'a number of bytes');
  return value as unknown as Descriptor;
}

/** `what`: how messages call it. */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  const value = parseJson(bytes, what, 'an image manifest');
  if (value['schemaVersion'] === 1) throw refuse(what, 'a Docker schema 1 manifest', 'schema 2 or OCI: push the image again with a newer tool');
  if (value['schemaVersion'] !== 2) throw refuse(what, `schemaVersion is ${JSON.stringify(value['schemaVersion']) ?? 'missing'}`, '2');
  checkDescriptor(value['config'], what, 'config');
  const layers = value['layers'];
  if (!Array.isArray(layers)) throw refuse(what, 'it has no list of layers', 'an image manifest');
  for (const [i, layer] of layers.entries()) checkDescriptor(layer, what, `layers[${i}]`);
  return value as unknown as Manifest;
}

export function parseIndex(bytes: Uint8Array, what: string): ImageIndex {
  const value = parseJson(bytes, what, 'an image index');
  if (value['schemaVersion'] !== 2) throw refuse(what, `schemaVersion is ${JSON.stringify(value['schemaVersion']) ?? 'missing'}`, '2');
  const manifests = value['manifests'];
  if (!Array.isArray(manifests)) throw refuse(what, 'it has no list of manifests', 'an image index');
  for (const [i, each] of manifests.entries()) checkDescriptor(each, what, `manifests[${i}]`);
  return value as unknown as ImageIndex;
}

/** Which manifest another one, or an index, refers to. */
export function parseSubject(bytes: Uint8Array, what: string): Descriptor | undefined {
  const { subject } = parseJson(bytes, what, 'an image manifest or index');
  return subject === undefined || subject === null ? undefined : checkDescriptor(subject, what, 'subject');
}

export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  const expected = 'an image config';
  const value = parseJson(bytes, what, expected);
  for (const field of ['architecture', 'os']) {
    if (typeof value[field] !== 'string') throw refuse(what, `${field} is missing`, expected);
  }
  const rootfs = value['rootfs'];
  if (!isObject(rootfs) || !Array.isArray(rootfs['diff_ids'] ?? [])) throw refuse(what, 'rootfs.diff_ids is missing', expected);
  const ids = (rootfs['diff_ids'] ?? []) as readonly unknown[];
  if (!ids.every((id) => typeof id === 'string' && DIGEST.test(id))) throw refuse(what, 'rootfs.diff_ids has something else than sha256 digests', expected);
  const config = value['config'] ?? {};
  if (!isObject(config)) throw refuse(what, 'config is no object', expected);
  for (const field of ['Env', 'Entrypoint', 'Cmd', 'OnBuild', 'Shell']) {
    if ((config[field] ?? null) !== null && !isTexts(config[field])) throw refuse(what, `config.${field} is no list of texts`, expected);
  }
  for (const field of ['User', 'WorkingDir', 'StopSignal']) {
    if ((config[field] ?? null) !== null && typeof config[field] !== 'string') throw refuse(what, `config.${field} is no text`, expected);
  }
  const health = config['Healthcheck'] ?? null;
  if (health !== null && !(isObject(health) && isTexts(health['Test'] ?? []))) throw refuse(what, 'config.Healthcheck has no list of texts as its Test', expected);
  for (const field of ['ExposedPorts', 'Volumes', 'Labels']) {
    if ((config[field] ?? null) !== null && !isObject(config[field])) throw refuse(what, `config.${field} is no object`, expected);
  }
  return { ...value, rootfs: { ...rootfs, type: 'layers', diff_ids: ids } } as unknown as ImageConfig;
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined || variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

const ARCHITECTURES: Record<string, string> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386', armhf: 'arm', armel: 'arm' };

/** "linux/amd64", "amd64", "linux/arm64/v8" (config.md, "platform"; names as containerd normalises them). */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new StoreError('reference-invalid', `Cannot use "${text}" as a platform: not of the form OS/ARCHITECTURE[/VARIANT], expected such as linux/amd64`);
  }
  const [os, architecture, variant] = parts.length === 1 ? (parts[0] === 'linux' ? ['linux', HOST_PLATFORM.architecture] : ['linux', parts[0]]) : parts;
  const named = ARCHITECTURES[architecture as string] ?? (architecture as string);
  const isDefault = (named === 'arm64' && variant === 'v8') || (named === 'amd64' && variant === 'v1');
  return { os: os as string, architecture: named, ...(variant === undefined || isDefault ? {} : { variant }) };
}

/** What is asked for, or this host's own. */
export const readPlatform = (text: string | undefined): Platform => (text === undefined ? HOST_PLATFORM : parsePlatform(text));

/** Whether what is for `have` runs on `want`. */
export function matchesPlatform(have: Platform | undefined, want: Platform): boolean {
  if (have === undefined || have.os !== want.os || have.architecture !== want.architecture) return false;
  const plain = (variant: string | undefined) => (variant === undefined || variant === '' || (have.architecture === 'arm64' && variant === 'v8') ? '' : variant);
  return plain(want.variant) === '' || plain(have.variant) === plain(want.variant);
}

/** Names what layers make together (config.md, "Layer ChainID"); of no layers: the digest of nothing. */
export function computeChainId(diffIds: readonly string[]): string {
  const hash = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return diffIds.slice(1).reduce((chain, id) => hash(`${chain} ${id}`), diffIds[0] ?? hash(''));
}
