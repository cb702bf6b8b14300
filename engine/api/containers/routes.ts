/** Containers: each endpoint of the API's part "Container" (Docker Engine API v1.47). Owns: what is asked of engine/instances, and the form of the answers. */
import {
  createInstance,
  describeUse,
  findInstance,
  inspectInstance,
  isRunning,
  killInstance,
  listInstances,
  makeInstanceFilter,
  pauseInstance,
  removeInstance,
  renameInstance,
  restartInstance,
  sendResize,
  startInstance,
  stopInstance,
  type WaitCondition,
  waitInstance,
} from '../../instances/index.ts';
import { ApiError } from '../error.ts';
import { readFilters, readJson, readNumber, readSwitch, sendJson, sendStatus } from '../messages.ts';
import { readPast } from '../moments.ts';
import { describeEndpoints } from '../networks.ts';
import type { WindowSize } from '../attendance.ts';
import type { Exchange, Route } from '../route.ts';
import { parseSignal } from '../signals.ts';
import type { CreateBody } from './body.ts';
import { describeListed } from './describe.ts';
import { readCreateRequest } from './spec.ts';
import { attachContainer, sendLogs } from './streams.ts';

const nameOf = ({ params }: Exchange) => params['name'] as string;
const find = (exchange: Exchange) => findInstance(exchange.context.paths, nameOf(exchange));

async function list(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const filters = readFilters(query);
  const limit = readNumber(query, 'limit') ?? -1;
  const filter = await makeInstanceFilter(filters, context.paths);
  const showsAll = readSwitch(query, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
  const found = (await listInstances(context.paths)).filter((instance) => (showsAll || isRunning(instance.state)) && filter(instance));
  const shown = limit > 0 ? found.slice(0, limit) : found;
  sendJson(
    exchange,
    shown.map((instance) => describeListed(instance, context.paths, readSwitch(query, 'size'))),
  );
}

/** Both sides are there. */
const isWindowSize = ({ rows, columns }: WindowSize): boolean => [rows, columns].every((side) => Number.isInteger(side) && side > 0 && side <= 65535);

async function create(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const body = await readJson<CreateBody>(exchange);
  const name = query.get('name')?.replace(/^\//, '');
  const { spec, warnings } = await readCreateRequest(body, { name: name === '' ? undefined : name, platform: query.get('platform') }, context);
  const { id } = await createInstance(spec, context.host);
  const [rows = 0, columns = 0] = body.HostConfig?.ConsoleSize ?? [];
  if (isWindowSize({ rows, columns })) context.attendance.setSize(id, { rows, columns });
  sendJson(exchange, { Id: id, Warnings: warnings }, 201);
}

async function inspect(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const instance = await find(exchange);
  const whole = inspectInstance(instance, context.paths.volumes) as Record<string, unknown> & { NetworkSettings: object };
  const { networks, address, gateway } = await describeEndpoints(instance, context);
  const settings = { ...whole.NetworkSettings, SandboxKey: '', IPAddress: address, IPPrefixLen: address === '' ? 0 : 24, Gateway: gateway, MacAddress: '', Networks: networks };
  sendJson(exchange, { ...whole, ResolvConfPath: '', HostnamePath: '', HostsPath: '', NetworkSettings: settings, ...(readSwitch(exchange.query, 'size') ? describeUse(instance) : {}) });
}

async function start(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const instance = await find(exchange);
  if (isRunning(instance.state) && instance.state.status !== 'paused') return sendStatus(exchange, 304);
  try {
    await startInstance(instance.id, context.host, { windowSize: context.attendance.takeSize(instance.id), notice: (line) => context.say(line) });
  } catch (error) {
    context.attendance.fail(instance.id);
    // Clients wait for what was to be removed (--rm) also when it did not start.
    if (instance.config.autoRemove) await removeInstance(instance.id, context.host.env, { force: true, volumes: true }).catch(() => {});
    throw error;
  }
  sendStatus(exchange, 204);
}

const readStop = ({ query }: Exchange) => {
  const signal = query.get('signal');
  return { signal: signal === null || signal === '' ? undefined : parseSignal(signal), timeout: readNumber(query, 't') };
};

async function stop(exchange: Exchange): Promise<void> {
  const instance = await find(exchange);
  if (!isRunning(instance.state)) return sendStatus(exchange, 304);
  await stopInstance(instance.id, exchange.context.host.env, readStop(exchange));
  sendStatus(exchange, 204);
}

async function restart(exchange: Exchange): Promise<void> {
  const { host, say } = exchange.context;
  await restartInstance(nameOf(exchange), host, { ...readStop(exchange), notice: say });
  sendStatus(exchange, 204);
}

async function kill(exchange: Exchange): Promise<void> {
  const signal = exchange.query.get('signal');
  await killInstance(nameOf(exchange), exchange.context.host.env, signal === null || signal === '' ? undefined : parseSignal(signal));
  sendStatus(exchange, 204);
}

async function pause(exchange: Exchange, isPaused: boolean): Promise<void> {
  await pauseInstance(nameOf(exchange), exchange.context.host.env, isPaused);
  sendStatus(exchange, 204);
}

async function rename(exchange: Exchange): Promise<void> {
  const name = exchange.query.get('name')?.replace(/^\//, '') ?? '';
  if (name === '') throw new ApiError('parameter-invalid', 'Neither old nor new names may be empty');
  await renameInstance(exchange.context.paths.instances, await find(exchange), name);
  sendStatus(exchange, 204);
}

async function remove(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  if (readSwitch(query, 'link')) throw new ApiError('parameter-invalid', `Cannot remove the link "${nameOf(exchange)}": containers have none, expected the name of a container, without --link`);
  const { id } = await find(exchange);
  await removeInstance(id, context.host.env, { force: readSwitch(query, 'force'), volumes: readSwitch(query, 'v') });
  context.attendance.forget(id);
  sendStatus(exchange, 204);
}

const CONDITIONS: readonly string[] = ['not-running', 'next-exit', 'removed'];

async function wait(exchange: Exchange): Promise<void> {
  const { context, query, response, gone } = exchange;
  const condition = query.get('condition') || 'not-running';
  if (!CONDITIONS.includes(condition)) throw new ApiError('parameter-invalid', `invalid condition: "${condition}"`);
  const instance = await find(exchange);
  // Clients start the container when they have these headers.
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  let answer: { StatusCode: number; Error?: { Message: string } };
  try {
    const code = await waitInstance(instance.id, context.host.env, condition as WaitCondition, gone);
    if (code === undefined) return;
    answer = { StatusCode: code };
  } catch (error) {
    answer = { StatusCode: 0, Error: { Message: (error as Error).message } };
  }
  response.end(`${JSON.stringify(answer)}\n`);
}

/** Before the start it is the size to begin with. */
async function resize(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const size = { rows: readNumber(query, 'h') ?? 0, columns: readNumber(query, 'w') ?? 0 };
  if (size.rows < 0 || size.columns < 0 || size.rows > 65535 || size.columns > 65535) throw new ApiError('parameter-invalid', `invalid window size ${size.rows}x${size.columns}`);
  const instance = await find(exchange);
  if (isWindowSize(size)) {
    context.attendance.setSize(instance.id, size);
    if (isRunning(instance.state)) await sendResize(instance, size.rows, size.columns);
  }
  sendStatus(exchange, 200);
}

async function prune(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const filters = new Map(readFilters(query));
  const until = filters.get('until')?.[0];
  filters.delete('until');
  for (const name of filters.keys()) if (name !== 'label' && name !== 'label!') throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
  const before = until === undefined ? undefined : readPast(until);
  const filter = await makeInstanceFilter(filters, context.paths);
  const gone: string[] = [];
  let reclaimed = 0;
  for (const instance of await listInstances(context.paths)) {
    if (isRunning(instance.state) || instance.state.starter !== undefined || !filter(instance)) continue;
    if (before !== undefined && Date.parse(instance.config.created) >= before) continue;
    const { SizeRw } = describeUse(instance);
    try {
      await removeInstance(instance.id, context.host.env);
    } catch (error) {
      if (['instance-missing', 'instance-conflict'].includes((error as { code?: string }).code ?? '')) continue; // started or removed meanwhile
      throw error;
    }
    gone.push(instance.id);
    reclaimed += SizeRw;
  }
  sendJson(exchange, { ContainersDeleted: gone.length === 0 ? null : gone, SpaceReclaimed: reclaimed });
}

export function listContainerRoutes(): Route[] {
  return [
    { method: 'GET', path: '/containers/json', summary: 'list containers', support: 'full', handle: list },
    { method: 'POST', path: '/containers/create', summary: 'create a container', support: 'partial', lacks: 'fields of HostConfig: see below', handle: create },
    { method: 'POST', path: '/containers/prune', summary: 'remove containers that do not run', support: 'full', handle: prune },
    { method: 'GET', path: '/containers/{name}/json', summary: 'inspect a container', support: 'partial', lacks: 'paths of files that a machine has not (ResolvConfPath and the like) are empty', handle: inspect },
    { method: 'POST', path: '/containers/{name}/start', summary: 'start', support: 'full', handle: start },
    { method: 'POST', path: '/containers/{name}/stop', summary: 'stop', support: 'full', handle: stop },
    { method: 'POST', path: '/containers/{name}/restart', summary: 'restart', support: 'full', handle: restart },
    { method: 'POST', path: '/containers/{name}/kill', summary: 'send a signal', support: 'full', handle: kill },
    { method: 'POST', path: '/containers/{name}/pause', summary: 'pause', support: 'full', handle: (exchange) => pause(exchange, true) },
    { method: 'POST', path: '/containers/{name}/unpause', summary: 'unpause', support: 'full', handle: (exchange) => pause(exchange, false) },
    { method: 'POST', path: '/containers/{name}/rename', summary: 'rename', support: 'full', handle: rename },
    { method: 'POST', path: '/containers/{name}/wait', summary: 'wait: not-running, next-exit, removed', support: 'full', handle: wait },
    { method: 'POST', path: '/containers/{name}/resize', summary: 'size of the terminal, also before the start', support: 'full', handle: resize },
    { method: 'GET', path: '/containers/{name}/logs', summary: 'logs: raw and multiplexed, follow, since, until, tail, timestamps', support: 'full', handle: sendLogs },
    { method: 'POST', path: '/containers/{name}/attach', summary: 'attach, with the connection taken over', support: 'full', handle: attachContainer },
    { method: 'DELETE', path: '/containers/{name}', summary: 'remove', support: 'partial', lacks: 'link: there are none', handle: remove },
  ];
}

