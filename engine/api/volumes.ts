/** Volumes (Docker Engine API v1.47, "Volume"). Owns: the form of the answers, filters, and the sizes of what is in a volume. */
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../errors.ts';
import { listInstances } from '../instances/index.ts';
import { createVolume, findVolume, listVolumes, removeVolume, type Volume, VOLUME_NAME } from '../volumes/index.ts';
import { ApiError } from './error.ts';
import { readFilters, readJson, readSwitch, sendJson, sendStatus } from './messages.ts';
import { matchLabels } from '../labels.ts';
import type { Exchange, Route } from './route.ts';

/** Docker marks volumes that nobody named by this label. */
const ANONYMOUS = 'com.docker.volume.anonymous';

export function describeVolume({ name, created, labels, data, isAnonymous }: Volume): Record<string, unknown> {
  const all = isAnonymous ? { [ANONYMOUS]: '', ...labels } : labels;
  return { CreatedAt: created, Driver: 'local', Labels: Object.keys(all).length === 0 ? null : all, Mountpoint: data, Name: name, Options: null, Scope: 'local' };
}

/** Bytes of the files in it; what cannot be read counts nothing. */
export function sizeOfFolder(folder: string): number {
  let size = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) size += sizeOfFolder(path);
      else if (entry.isFile()) size += lstatSync(path).size;
    }
  } catch {
    // not ours to read, or gone meanwhile
  }
  return size;
}

/** Names of volumes that an instance has, running or not. */
async function findUsed({ context }: Exchange): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for (const { config } of await listInstances(context.paths)) {
    for (const { type, source, target } of config.request.mounts) {
      const name = type === 'volume' ? (source ?? config.anonymous[target]) : undefined;
      if (name !== undefined) used.add(name);
    }
  }
  return used;
}

async function makeFilter(exchange: Exchange, known: readonly string[]): Promise<(volume: Volume) => boolean> {
  const filters = readFilters(exchange.query);
  for (const name of filters.keys()) if (!known.includes(name)) throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
  const used = filters.has('dangling') ? await findUsed(exchange) : new Set<string>();
  const isTrue = (text: string | undefined) => text === 'true' || text === '1';
  return (volume) =>
    [...filters].every(([name, values]) => {
      const labels = describeVolume(volume)['Labels'] as Record<string, string> | null;
      if (name === 'label') return matchLabels(labels ?? {}, values);
      if (name === 'label!') return !matchLabels(labels ?? {}, values);
      if (name === 'name') return values.some((value) => volume.name.includes(value));
      if (name === 'driver') return values.includes('local');
      if (name === 'dangling') return isTrue(values[0]) === !used.has(volume.name);
      return true;
    });
}

async function list(exchange: Exchange): Promise<void> {
  const filter = await makeFilter(exchange, ['name', 'label', 'driver', 'dangling']);
  sendJson(exchange, { Volumes: listVolumes(exchange.context.paths.volumes).filter(filter).map(describeVolume), Warnings: null });
}

async function create(exchange: Exchange): Promise<void> {
  const body = await readJson<{ Name: string; Driver: string; Labels: Record<string, string>; DriverOpts: Record<string, string>; ClusterVolumeSpec: object | null }>(exchange);
  if (body.ClusterVolumeSpec !== undefined && body.ClusterVolumeSpec !== null) throw new ApiError('swarm-inactive', 'This node is not a swarm manager. Cannot create a volume of a cluster: hull manages the machines of one host, expected a local volume');
  const isNamed = body.Name !== undefined && body.Name !== '';
  const name = isNamed ? (body.Name as string) : randomBytes(32).toString('hex');
  if (body.Driver !== undefined && body.Driver !== '' && body.Driver !== 'local') throw new EngineError('volume-missing', `error looking up volume plugin ${body.Driver}: plugin "${body.Driver}" not found`);
  if (Object.keys(body.DriverOpts ?? {}).length > 0) throw new ApiError('parameter-invalid', `invalid option: "${Object.keys(body.DriverOpts ?? {})[0]}": Cannot take it: volumes are directories, expected no options`);
  if (!VOLUME_NAME.test(name)) throw new ApiError('parameter-invalid', `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`);
  const volume = createVolume(exchange.context.paths.volumes, name, { labels: body.Labels ?? {}, isAnonymous: !isNamed });
  sendJson(exchange, describeVolume(volume), 201);
}

function find({ context, params }: Exchange): Volume {
  const name = params['name'] as string;
  const volume = VOLUME_NAME.test(name) ? findVolume(context.paths.volumes, name) : undefined;
  if (volume === undefined) throw new EngineError('volume-missing', `get ${name}: no such volume`);
  return volume;
}

function remove(exchange: Exchange): void {
  try {
    removeVolume(exchange.context.paths.volumes, find(exchange).name);
  } catch (error) {
    if (!(readSwitch(exchange.query, 'force') && (error as { code?: string }).code === 'volume-missing')) throw error;
  }
  sendStatus(exchange, 204);
}

/** Since 1.42 only those that nobody named, unless `all`. */
async function prune(exchange: Exchange): Promise<void> {
  const { context, query, version } = exchange;
  const filters = readFilters(query);
  const all = version[1] < 42 || ['true', '1'].includes(filters.get('all')?.[0] ?? '');
  const filter = await makeFilter(exchange, ['label', 'label!', 'all']);
  const gone: string[] = [];
  let reclaimed = 0;
  for (const volume of listVolumes(context.paths.volumes)) {
    if ((!all && !volume.isAnonymous) || !filter(volume)) continue;
    const size = sizeOfFolder(volume.data);
    try {
      removeVolume(context.paths.volumes, volume.name);
    } catch (error) {
      if (['volume-busy', 'volume-missing'].includes((error as { code?: string }).code ?? '')) continue;
      throw error;
    }
    gone.push(volume.name);
    reclaimed += size;
  }
  sendJson(exchange, { VolumesDeleted: gone.length === 0 ? null : gone, SpaceReclaimed: reclaimed });
}

export function listVolumeRoutes(): Route[] {
  return [
    { method: 'GET', path: '/volumes', summary: 'list volumes', support: 'full', handle: list },
    { method: 'POST', path: '/volumes/create', summary: 'create a volume', support: 'partial', lacks: 'drivers and their options', handle: create },
    { method: 'POST', path: '/volumes/prune', summary: 'remove volumes that nothing uses', support: 'full', handle: prune },
    { method: 'GET', path: '/volumes/{name}', summary: 'inspect a volume', support: 'full', handle: (exchange) => sendJson(exchange, describeVolume(find(exchange))) },
    { method: 'DELETE', path: '/volumes/{name}', summary: 'remove a volume', support: 'full', handle: remove },
  ];
}
