/** Files of containers (Docker Engine API v1.47, ContainerArchive, PutContainerArchive, ContainerChanges, ContainerExport, ImageCommit). Owns: parameters, headers and the form of the answers. */
import type { CommitRequest } from '../../instances/index.ts';
import { commitInstance, exportInstance, findInstance, type InstancePathStat, listChanges, readInstanceArchive, statInstancePath, withInstanceFiles, writeInstanceArchive } from '../../instances/index.ts';
import { ApiError } from '../error.ts';
import { readJson, readSwitch, sendJson, sendStatus, writeSlowly } from '../messages.ts';
import type { Exchange, Route } from '../route.ts';

const nameOf = ({ params }: Exchange) => params['name'] as string;

function readPath({ query }: Exchange): string {
  const path = query.get('path') ?? '';
  if (path === '') throw new ApiError('parameter-invalid', 'path cannot be empty: Cannot copy: expected a path');
  return path;
}

const encodeStat = (stat: InstancePathStat) => Buffer.from(JSON.stringify(stat)).toString('base64');

async function sendArchive({ response, gone }: Exchange, headers: Readonly<Record<string, string>>, archive: AsyncIterable<Buffer>): Promise<void> {
  // Headers wait for the first bytes: until then a fault can be told.
  for await (const bytes of archive) {
    if (!response.headersSent) response.writeHead(200, headers);
    await writeSlowly(response, bytes, gone);
    if (gone.aborted) return;
  }
  response.end();
}

async function look(exchange: Exchange): Promise<void> {
  const stat = await statInstancePath(nameOf(exchange), exchange.context.host.env, readPath(exchange));
  exchange.response.writeHead(200, { 'X-Docker-Container-Path-Stat': encodeStat(stat) });
  exchange.response.end();
}

async function read(exchange: Exchange): Promise<void> {
  const { stat, archive } = await readInstanceArchive(nameOf(exchange), exchange.context.host.env, readPath(exchange));
  await sendArchive(exchange, { 'Content-Type': 'application/x-tar', 'X-Docker-Container-Path-Stat': encodeStat(stat) }, archive);
}

async function write(exchange: Exchange): Promise<void> {
  const { context, query, request } = exchange;
  const path = readPath(exchange);
  const instance = await findInstance(context.paths, nameOf(exchange));
  const { user } = instance.config.request;
  const owner = readSwitch(query, 'copyUIDGID') ? { uid: user?.uid ?? 0, gid: user?.gid ?? 0 } : undefined;
  await writeInstanceArchive(instance.id, context.host, path, request, { owner, keepsKinds: readSwitch(query, 'noOverwriteDirNonDir') });
  sendStatus(exchange, 200);
}

async function changes(exchange: Exchange): Promise<void> {
  const found = await withInstanceFiles(nameOf(exchange), exchange.context.host.env, listChanges);
  sendJson(
    exchange,
    found.length === 0 ? null : found.map(({ kind, path }) => ({ Path: path, Kind: kind })),
  );
}

/** A value of a Dockerfile's instruction, as it is. */
const quote = (text: string) => `"${text.replaceAll(/["\\$]/g, '\\$&')}"`;

async function commit(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const repo = query.get('repo') ?? '';
  const tag = query.get('tag') ?? '';
  const body = await readJson<{ Env: readonly string[] | null; Cmd: readonly string[] | null; Labels: Readonly<Record<string, string>> | null }>(exchange);
  const request: CommitRequest = {
    reference: repo === '' ? undefined : tag === '' ? repo : `${repo}:${tag}`,
    author: query.get('author') || undefined,
    message: query.get('comment') || undefined,
    changes: [
      ...(body.Env ?? []).map((entry) => `ENV ${entry.slice(0, entry.indexOf('='))}=${quote(entry.slice(entry.indexOf('=') + 1))}`),
      ...(body.Cmd ? [`CMD ${JSON.stringify(body.Cmd)}`] : []),
      ...Object.entries(body.Labels ?? {}).map(([name, value]) => `LABEL ${quote(name)}=${quote(value)}`),
      ...query.getAll('changes').flatMap((each) => each.split('\n')).filter((each) => each.trim() !== ''),
    ],
    pause: readSwitch(query, 'pause', true),
  };
  const id = await commitInstance(query.get('container') ?? '', context.host.env, request);
  sendJson(exchange, { Id: id }, 201);
}

export function listFileRoutes(): Route[] {
  return [
    { method: 'HEAD', path: '/containers/{name}/archive', summary: 'what a file is', support: 'full', handle: look },
    { method: 'GET', path: '/containers/{name}/archive', summary: 'a file or folder as an archive', support: 'full', handle: read },
    { method: 'PUT', path: '/containers/{name}/archive', summary: 'unpack an archive in a folder', support: 'full', handle: write },
    { method: 'GET', path: '/containers/{name}/changes', summary: 'changed files', support: 'full', handle: changes },
    {
      method: 'GET',
      path: '/containers/{name}/export',
      summary: 'its files as an archive',
      support: 'full',
      handle: async (exchange) => await sendArchive(exchange, { 'Content-Type': 'application/octet-stream' }, await exportInstance(nameOf(exchange), exchange.context.host.env)),
    },
    { method: 'POST', path: '/commit', summary: 'an image of a container', support: 'partial', lacks: 'fields of the body other than Env, Cmd and Labels', handle: commit },
  ];
}
