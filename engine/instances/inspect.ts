/**
 * An instance as Docker's API describes a container (Docker Engine API v1.47, ContainerInspect). Owns: the form. Rule: made from config and state alone, so that it is the same for each door.
 */
import { join } from 'node:path';
import { formatSignalName } from './signals.ts';
import { readHealth } from './health.ts';
import { isRunning } from './observe.ts';
import { outputSize } from './output.ts';
import type { Instance } from './types.ts';

const ZERO_TIME = '0001-01-01T00:00:00Z';

type PortMap = Record<string, { HostIp: string; HostPort: string }[] | null>;

/** Exposed and published ports, in Docker's form: "80/tcp" -> where. */
export function describePorts({ config, state }: Instance): PortMap {
  const ports: PortMap = {};
  for (const each of config.exposed ?? []) ports[each] = null;
  for (const { guest, protocol, address, host } of state.ports) {
    const key = `${guest}/${protocol}`;
    ports[key] = [...(ports[key] ?? []), { HostIp: address, HostPort: String(host) }];
  }
  return ports;
}

function describeMounts({ config }: Instance, volumes: string): object[] {
  return config.request.mounts.map(({ type, source, target, readOnly }) => {
    const name = type === 'volume' ? (source ?? config.anonymous[target]) : undefined;
    return {
      Type: type,
      ...(name === undefined ? {} : { Name: name }),
      Source: type === 'volume' ? join(volumes, name as string, '_data') : (source ?? ''),
      Destination: target,
      ...(type === 'volume' ? { Driver: 'local' } : {}),
      Mode: '',
      RW: !readOnly,
      Propagation: type === 'bind' ? 'rprivate' : '',
    };
  });
}

function describeHealth(instance: Instance): object {
  const health = readHealth(instance);
  return health === undefined ? {} : { Health: { Status: health.status, FailingStreak: health.failingStreak, Log: health.log } };
}

export function inspectInstance(instance: Instance, volumes: string): Record<string, unknown> {
  const { id, config, state, folder } = instance;
  const { request } = config;
  const extra = config.extra ?? {};
  return {
    Id: id,
    Created: config.created,
    Path: request.entrypoint ?? request.program,
    Args: request.args,
    State: {
      Status: state.status,
      Running: isRunning(state),
      Paused: state.status === 'paused',
      Restarting: false,
      OOMKilled: state.oomKilled,
      Dead: state.status === 'dead',
      Pid: state.pid,
      ExitCode: state.exitCode,
      Error: state.error,
      StartedAt: state.startedAt || ZERO_TIME,
      FinishedAt: state.finishedAt || ZERO_TIME,
      ...describeHealth(instance),
    },
    Image: config.imageId ?? config.image,
    LogPath: join(folder, 'output'),
    Name: `/${config.name}`,
    RestartCount: state.restartCount,
    Driver: 'hull',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: {
      Memory: request.memory,
      NanoCpus: request.cpus * 1e9,
      AutoRemove: config.autoRemove,
      NetworkMode: request.network.network ?? 'default',
      RestartPolicy: { Name: config.restart.name, MaximumRetryCount: config.restart.most },
      LogConfig: { Type: config.logging?.driver ?? 'json-file', Config: config.logging?.options ?? {} },
      Dns: request.network.dns,
      DnsOptions: request.network.dnsOptions,
      DnsSearch: request.network.dnsSearch,
      ExtraHosts: request.network.addHosts,
      ReadonlyRootfs: request.readOnly === true,
      Privileged: false,
      PublishAllPorts: false,
      ...extra,
    },
    Mounts: describeMounts(instance, volumes),
    Config: {
      Hostname: request.hostname ?? id.slice(0, 12),
      Domainname: '',
      User: request.userName ?? request.image?.userName ?? '',
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      ...(config.exposed === undefined || config.exposed.length === 0 ? {} : { ExposedPorts: Object.fromEntries(config.exposed.map((each) => [each, {}])) }),
      Tty: request.tty,
      OpenStdin: config.openStdin,
      StdinOnce: config.stdinOnce === true,
      Env: request.env,
      Cmd: request.args,
      Image: config.image,
      Volumes: null,
      WorkingDir: request.workdir ?? '',
      Entrypoint: [request.entrypoint ?? request.program],
      OnBuild: null,
      Labels: config.labels,
      ...(config.stopSignal === undefined ? {} : { StopSignal: formatSignalName(config.stopSignal) }),
      ...(config.stopTimeout === undefined ? {} : { StopTimeout: config.stopTimeout }),
      ...(config.health === undefined ? {} : { Healthcheck: { Test: config.health.test, Interval: config.health.interval ?? 0, Timeout: config.health.timeout ?? 0, StartPeriod: config.health.startPeriod ?? 0, StartInterval: config.health.startInterval ?? 0, Retries: config.health.retries ?? 0 } }),
    },
    NetworkSettings: {
      Bridge: '',
      SandboxID: '',
      Ports: describePorts(instance),
      Networks: { [request.network.network ?? 'user']: { IPAddress: '', Gateway: '', MacAddress: '', NetworkID: '', Aliases: null } },
    },
    Hull: { Accelerator: request.accelerator, Machine: request.machine ?? null, Kernel: state.kernel, Rootfs: request.rootfs ?? null },
  };
}

/** What it keeps on disk. */
export function describeUse({ folder }: Instance): { SizeRw: number; SizeRootFs: number } {
  const size = outputSize(folder);
  return { SizeRw: size, SizeRootFs: size };
}
