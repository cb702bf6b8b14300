/** What `POST /containers/create` says (Docker Engine API v1.47, ContainerCreate). Owns: the fields that are read, with their types checked. */
import { ApiError } from '../error.ts';

export interface PortBinding {
  readonly HostIp?: string;
  readonly HostPort?: string;
}

export interface MountBody {
  readonly Type?: string;
  readonly Source?: string;
  readonly Target?: string;
  readonly ReadOnly?: boolean;
  readonly BindOptions?: { readonly CreateMountpoint?: boolean };
  readonly VolumeOptions?: { readonly NoCopy?: boolean; readonly Subpath?: string; readonly Labels?: Record<string, string> };
  readonly TmpfsOptions?: { readonly SizeBytes?: number; readonly Mode?: number };
}

export interface HostConfigBody {
  readonly Binds?: readonly string[];
  readonly Mounts?: readonly MountBody[];
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly NetworkMode?: string;
  readonly PortBindings?: Readonly<Record<string, readonly PortBinding[] | null>>;
  readonly PublishAllPorts?: boolean;
  readonly RestartPolicy?: { readonly Name?: string; readonly MaximumRetryCount?: number };
  readonly AutoRemove?: boolean;
  readonly Memory?: number;
  readonly NanoCpus?: number;
  readonly ReadonlyRootfs?: boolean;
  readonly Dns?: readonly string[];
  readonly DnsOptions?: readonly string[];
  readonly DnsSearch?: readonly string[];
  readonly ExtraHosts?: readonly string[];
  readonly ShmSize?: number;
  readonly VolumesFrom?: readonly string[];
  readonly LogConfig?: { readonly Type?: string; readonly Config?: Readonly<Record<string, string>> };
  readonly Privileged?: boolean;
  /** Rows and columns of the client's terminal. */
  readonly ConsoleSize?: readonly number[] | null;
  readonly [field: string]: unknown;
}

export interface EndpointBody {
  readonly Aliases?: readonly string[] | null;
  readonly IPAMConfig?: { readonly IPv4Address?: string; readonly IPv6Address?: string; readonly LinkLocalIPs?: readonly string[] } | null;
  readonly MacAddress?: string;
  readonly Links?: readonly string[] | null;
}

export interface CreateBody {
  readonly Image: string;
  readonly Cmd: readonly string[] | string | null;
  readonly Entrypoint: readonly string[] | string | null;
  readonly Env: readonly string[] | null;
  readonly WorkingDir: string;
  readonly User: string;
  readonly Hostname: string;
  readonly Domainname: string;
  readonly MacAddress: string;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly ExposedPorts: Readonly<Record<string, object>> | null;
  readonly Volumes: Readonly<Record<string, object>> | null;
  readonly StopSignal: string;
  readonly StopTimeout: number | null;
  readonly Healthcheck: { readonly Test?: readonly string[]; readonly Interval?: number; readonly Timeout?: number; readonly StartPeriod?: number; readonly StartInterval?: number; readonly Retries?: number } | null;
  readonly HostConfig: HostConfigBody | null;
  readonly NetworkingConfig: { readonly EndpointsConfig?: Readonly<Record<string, EndpointBody | null>> | null } | null;
}

type Kind = 'text' | 'number' | 'numbers' | 'switch' | 'texts' | 'words' | 'record' | 'list';

const isTexts = (value: unknown) => Array.isArray(value) && value.every((each) => typeof each === 'string');
const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

const CHECKS: Record<Kind, { readonly is: (value: unknown) => boolean; readonly expected: string }> = {
  text: { is: (value) => typeof value === 'string', expected: 'a string' },
  number: { is: (value) => typeof value === 'number' && Number.isFinite(value), expected: 'a number' },
  switch: { is: (value) => typeof value === 'boolean', expected: 'true or false' },
  texts: { is: isTexts, expected: 'a list of strings' },
  words: { is: (value) => typeof value === 'string' || isTexts(value), expected: 'a string or a list of strings' },
  record: { is: isRecord, expected: 'an object' },
  list: { is: (value) => Array.isArray(value) && value.every(isRecord), expected: 'a list of objects' },
  numbers: { is: (value) => Array.isArray(value) && value.every((each) => typeof each === 'number'), expected: 'a list of numbers' },
};

const FIELDS: Readonly<Record<string, Kind>> = {
  Image: 'text',
  Cmd: 'words',
  Entrypoint: 'words',
  Env: 'texts',
  WorkingDir: 'text',
  User: 'text',
  Hostname: 'text',
  Tty: 'switch',
  OpenStdin: 'switch',
  StdinOnce: 'switch',
  Labels: 'record',
  ExposedPorts: 'record',
  Volumes: 'record',
  StopSignal: 'text',
  StopTimeout: 'number',
  Healthcheck: 'record',
  HostConfig: 'record',
  NetworkingConfig: 'record',
};

const HOST_FIELDS: Readonly<Record<string, Kind>> = {
  Binds: 'texts',
  Mounts: 'list',
  Tmpfs: 'record',
  NetworkMode: 'text',
  PortBindings: 'record',
  PublishAllPorts: 'switch',
  RestartPolicy: 'record',
  AutoRemove: 'switch',
  ConsoleSize: 'numbers',
  Memory: 'number',
  NanoCpus: 'number',
  ReadonlyRootfs: 'switch',
  Dns: 'texts',
  DnsOptions: 'texts',
  DnsSearch: 'texts',
  ExtraHosts: 'texts',
  LogConfig: 'record',
  ShmSize: 'number',
  VolumesFrom: 'texts',
};

function checkFields(value: Readonly<Record<string, unknown>>, fields: Readonly<Record<string, Kind>>, where: string): void {
  for (const [name, kind] of Object.entries(fields)) {
    const found = value[name];
    if (found === undefined || found === null) continue;
    if (!CHECKS[kind].is(found)) throw new ApiError('parameter-invalid', `invalid JSON: cannot take ${JSON.stringify(found).slice(0, 80)} for ${where}${name}: expected ${CHECKS[kind].expected}`);
  }
}

export function checkCreateBody(body: Partial<CreateBody>): Partial<CreateBody> {
  checkFields(body, FIELDS, '');
  if (body.HostConfig !== undefined && body.HostConfig !== null) checkFields(body.HostConfig, HOST_FIELDS, 'HostConfig.');
  return body;
}

/** What is less than in Docker. */
const NOTES: Readonly<Record<string, string>> = {
  'HostConfig.NanoCpus': 'partial: a machine has one CPU',
  'HostConfig.NetworkMode': 'partial: none, bridge, or the name of a network; host and container:NAME are refused',
  'HostConfig.RestartPolicy': 'full, as long as an engine runs',
  'HostConfig.LogConfig': 'partial: json-file and local, with max-size and max-file; other drivers are refused',
  Healthcheck: 'full, as long as an engine runs',
  NetworkingConfig: 'partial: one network; Aliases, IPAMConfig.IPv4Address',
};

/** Each field that is read, for docs/engine-api.md. */
export function listFields(): { readonly name: string; readonly note: string }[] {
  const names = [...Object.keys(FIELDS).filter((name) => name !== 'HostConfig'), ...Object.keys(HOST_FIELDS).map((name) => `HostConfig.${name}`)];
  return names.map((name) => ({ name, note: NOTES[name] ?? 'full' }));
}
