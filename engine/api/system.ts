/** The engine itself: ping, version, info, events, disk use, login (Docker Engine API v1.47, "System"). Owns: what hull says about itself in Docker's terms. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { openStore } from '../../images/store/index.ts';
import { type EngineEvent, followEvents, isRunning, listInstances, outputSize, readEvents } from '../instances/index.ts';
import { listVolumes } from '../volumes/index.ts';
import { describeListed } from './containers/describe.ts';
import { describeListedImage } from './images/describe.ts';
import { openJsonStream, readFilters, sendJson } from './messages.ts';
import { matchLabels } from '../labels.ts';
import { readMoment } from './moments.ts';
import type { ApiContext, Exchange, Route } from './route.ts';
import { API_VERSION, LEAST_API_VERSION } from './versions.ts';
import { describeVolume, sizeOfFolder } from './volumes.ts';

/** Docker's names for what node calls process.arch. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64' };
const MACHINES: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };

function ping({ request, response }: Exchange): void {
  response.writeHead(200, {
    // The classic builder: clients then build without BuildKit.
    'Builder-Version': '1',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': 2,
  });
  response.end(request.method === 'HEAD' ? undefined : 'OK');
}

function version(exchange: Exchange): void {
  const own = exchange.context.version;
  const details = { ApiVersion: API_VERSION, MinAPIVersion: LEAST_API_VERSION, Os: 'linux', Arch: ARCHITECTURES[arch()] ?? arch(), KernelVersion: release(), Experimental: 'false', GitCommit: '', GoVersion: '', BuildTime: '' };
  sendJson(exchange, {
    Platform: { Name: 'hull' },
    Components: [{ Name: 'Engine', Version: own, Details: details }],
    Version: own,
    ...details,
    Experimental: false,
  });
}

function readSystemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return process.platform;
  }
}

async function info(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const { paths } = context;
  const instances = await listInstances(paths);
  const count = (isCounted: (status: string) => boolean) => instances.filter(({ state }) => isCounted(state.status)).length;
  sendJson(exchange, {
    // The same as long as the state is.
    ID: createHash('sha256').update(`${hostname()}\0${paths.root}`).digest('hex').slice(0, 36),
    Containers: instances.length,
    ContainersRunning: count((status) => status === 'running'),
    ContainersPaused: count((status) => status === 'paused'),
    ContainersStopped: instances.filter(({ state }) => !isRunning(state)).length,
    Images: new Set(openStore(paths.images).list().map(({ id }) => id)).size,
    Driver: 'hull',
    DriverStatus: [['Root file system', 'EROFS under an overlay']],
    DockerRootDir: paths.root,
    SystemStatus: null,
    Plugins: { Volume: ['local'], Network: ['user', 'bridge', 'none'], Authorization: null, Log: ['json-file'] },
    MemoryLimit: true,
    SwapLimit: false,
    KernelMemoryTCP: false,
    CpuCfsPeriod: false,
    CpuCfsQuota: false,
    CPUShares: false,
    CPUSet: false,
    PidsLimit: false,
    IPv4Forwarding: true,
    Debug: false,
    NFd: 0,
    OomKillDisable: false,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'none',
    CgroupVersion: '2',
    NEventsListener: 0,
    KernelVersion: release(),
    OperatingSystem: readSystemName(),
    OSVersion: '',
    OSType: 'linux',
    Architecture: MACHINES[arch()] ?? arch(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { AllowNondistributableArtifactsCIDRs: null, AllowNondistributableArtifactsHostnames: null, InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'], IndexConfigs: {}, Mirrors: null },
    GenericResources: null,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: context.version,
    Runtimes: { hull: { path: 'hull' } },
    DefaultRuntime: 'hull',
    Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: [],
    CDISpecDirs: [],
    Warnings: null,
  });
}

/** Clients before 1.x of the event form read these, too. */
const withOldFields = (event: EngineEvent) => ({ ...(event.Type === 'container' || event.Type === 'image' ? { status: event.Action, id: event.Actor.ID, ...(event.Actor.Attributes['image'] === undefined ? {} : { from: event.Actor.Attributes['image'] }) } : {}), ...event });

function makeEventFilter(filters: ReadonlyMap<string, readonly string[]>): (event: EngineEvent) => boolean {
  const named = (event: EngineEvent, type: string, value: string) => event.Type === type && (event.Actor.ID === value || event.Actor.ID.startsWith(value) || event.Actor.Attributes['name'] === value);
  return (event) =>
    [...filters].every(([name, values]) => {
      switch (name) {
        case 'event':
          return values.some((value) => event.Action === value || event.Action.startsWith(`${value}:`));
        case 'type':
          return values.includes(event.Type);
        case 'label':
          return matchLabels(event.Actor.Attributes, values);
        case 'scope':
          return values.includes(event.scope);
        case 'image':
          return values.some((value) => named(event, 'image', value) || event.Actor.Attributes['image'] === value);
        default:
          return values.some((value) => named(event, name, value));
      }
    });
}

async function events(exchange: Exchange): Promise<void> {
  const { context, query, gone } = exchange;
  const since = readMoment(query, 'since');
  const until = readMoment(query, 'until');
  const filter = makeEventFilter(readFilters(query));
  const stream = openJsonStream(exchange);
  exchange.response.writeHead(200, { 'Content-Type': 'application/json' });
  exchange.response.flushHeaders();
  const isIn = ({ timeNano }: EngineEvent) => (since === undefined || BigInt(timeNano) >= since) && (until === undefined || BigInt(timeNano) <= until);
  const left = new AbortController();
  gone.addEventListener('abort', () => left.abort());
  const rest = until === undefined ? undefined : Number(until / 1_000_000n) - Date.now();
  const follower = followEvents(context.paths.events, left.signal);
  const first = follower.next(); // what comes while the past is told is not lost
  let last = 0;
  if (since !== undefined) {
    for (const event of readEvents(context.paths.events)) {
      last = Math.max(last, event.timeNano);
      if (isIn(event) && filter(event)) await stream.send(withOldFields(event));
    }
  }
  const timer = rest === undefined ? undefined : setTimeout(() => left.abort(), Math.max(0, Math.min(rest, 2 ** 31 - 1)));
  try {
    for (let next = await first; next.done !== true; next = await follower.next()) {
      if (next.value.timeNano > last && isIn(next.value) && filter(next.value)) await stream.send(withOldFields(next.value));
    }
  } finally {
    clearTimeout(timer);
  }
  stream.end();
}

async function describeDisk({ paths }: ApiContext): Promise<object> {
  const store = openStore(paths.images);
  const images = store.list();
  const instances = await listInstances(paths);
  const sizes = new Map(images.flatMap(({ manifest }) => [manifest.config, ...manifest.layers].map(({ digest, size }) => [digest, size] as const)));
  return {
    LayersSize: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    Images: images.map((image) => ({ ...describeListedImage(image), SharedSize: 0, Containers: instances.filter(({ config }) => config.imageId === image.id).length })),
    Containers: instances.map((instance) => ({ ...describeListed(instance, paths, true), SizeRw: outputSize(instance.folder) })),
    Volumes: listVolumes(paths.volumes).map((volume) => ({
      ...describeVolume(volume),
      UsageData: { Size: sizeOfFolder(volume.data), RefCount: instances.filter(({ config }) => config.request.mounts.some(({ source, target }) => source === volume.name || config.anonymous[target] === volume.name)).length },
    })),
    BuildCache: [],
  };
}

export function listSystemRoutes(): Route[] {
  return [
    { method: 'GET', path: '/_ping', summary: 'ping, with the headers that clients negotiate by', support: 'full', handle: ping },
    { method: 'GET', path: '/version', summary: 'versions', support: 'full', handle: version },
    { method: 'GET', path: '/info', summary: 'the host and what runs', support: 'full', handle: info },
    { method: 'GET', path: '/events', summary: 'what happens, as it does', support: 'full', handle: events },
    { method: 'GET', path: '/system/df', summary: 'disk use', support: 'partial', lacks: 'BuildCache is empty', handle: async (exchange) => sendJson(exchange, await describeDisk(exchange.context)) },
  ];
}
