/** What a container uses and is made of: stats, update (Docker Engine API v1.47, ContainerStats, ContainerUpdate). Owns: the form. Limit: numbers are those of the machine as the host sees it. */
import { EngineError } from '../../errors.ts';
import { asksForThreads, findInstance, type InstanceStats, isRunning, listProcesses, readStats, updateInstance } from '../../instances/index.ts';
import { openJsonStream, readJson, readSwitch, sendJson } from '../messages.ts';
import type { Exchange, Route } from '../route.ts';
import type { HostConfigBody } from './body.ts';
import { checkMemory, readRestart } from './spec.ts';
import { findIgnored } from './unmet.ts';

const EVERY_MS = 1000;

const describeCpu = (stats: InstanceStats | undefined) =>
  stats === undefined
    ? { cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 }, throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 } }
    : {
        cpu_usage: { total_usage: stats.cpu, usage_in_kernelmode: 0, usage_in_usermode: stats.cpu },
        // Of the host, in ns, as far as differences go.
        system_cpu_usage: Math.round(stats.time * 1e6 * stats.hostCpus),
        online_cpus: stats.hostCpus,
        throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
      };

/** Packets are not counted. */
const describeNetwork = ({ received, sent }: NonNullable<InstanceStats['network']>) => ({ rx_bytes: received, rx_packets: 0, rx_errors: 0, rx_dropped: 0, tx_bytes: sent, tx_packets: 0, tx_errors: 0, tx_dropped: 0 });

async function sendStats(exchange: Exchange): Promise<void> {
  const { context, query, gone } = exchange;
  const streams = readSwitch(query, 'stream', true);
  const find = () => findInstance(context.paths, exchange.params['name'] as string);
  const pause = () => new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  const stream = openJsonStream(exchange);
  let before: InstanceStats | undefined;
  for (let instance = await find(); !gone.aborted; instance = await find()) {
    const now = isRunning(instance.state) ? await readStats(instance) : undefined;
    if (now !== undefined && before === undefined && !readSwitch(query, 'one-shot')) {
      before = now;
      if (!streams) {
        await pause();
        continue;
      }
    }
    await stream.send({
      read: new Date(now?.time ?? 0).toISOString(),
      preread: before === undefined ? '0001-01-01T00:00:00Z' : new Date(before.time).toISOString(),
      name: `/${instance.config.name}`,
      id: instance.id,
      num_procs: 0,
      pids_stats: now === undefined ? {} : { current: now.threads },
      cpu_stats: describeCpu(now),
      precpu_stats: describeCpu(before),
      memory_stats: now === undefined ? {} : { usage: now.memory, limit: now.memoryLimit, stats: {} },
      blkio_stats: { io_service_bytes_recursive: now === undefined ? null : [{ major: 0, minor: 0, op: 'read', value: now.blockRead }, { major: 0, minor: 0, op: 'write', value: now.blockWritten }] },
      storage_stats: {},
      ...(now?.network === undefined ? {} : { networks: { eth0: describeNetwork(now.network) } }),
    });
    if (!streams) break;
    before = now;
    await pause();
  }
  stream.end();
}

async function update(exchange: Exchange): Promise<void> {
  const body = await readJson<HostConfigBody>(exchange);
  const memory = typeof body.Memory === 'number' && body.Memory > 0 ? checkMemory(body.Memory) : undefined;
  await updateInstance(exchange.params['name'] as string, exchange.context.host.env, { memory, restart: body.RestartPolicy?.Name === undefined || body.RestartPolicy.Name === '' ? undefined : readRestart(body) });
  const ignored = findIgnored({ HostConfig: body });
  sendJson(exchange, { Warnings: ignored.length === 0 ? null : ignored });
}

/** The machine tells of its processes itself; of one that cannot the host sees the first alone. */
async function top(exchange: Exchange): Promise<void> {
  const instance = await findInstance(exchange.context.paths, exchange.params['name'] as string);
  if (!isRunning(instance.state)) throw new EngineError('instance-conflict', `container ${instance.id} is not running`);
  const withThreads = asksForThreads((exchange.query.get('ps_args') || '-ef').split(/\s+/));
  const table = await listProcesses(instance, withThreads).catch((error: { code?: string }) => {
    if (error.code === 'option-invalid') return undefined;
    throw error;
  });
  if (table !== undefined) return sendJson(exchange, { Titles: table.titles, Processes: table.rows });
  const { request } = instance.config;
  const stats = await readStats(instance);
  const seconds = Math.floor(stats.cpu / 1e9);
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((each) => String(each).padStart(2, '0')).join(':');
  sendJson(exchange, {
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
    Processes: [[String(request.user?.uid ?? 0), String(instance.state.pid), '0', '0', instance.state.startedAt.slice(11, 16), '?', time, [request.entrypoint ?? request.program, ...request.args].join(' ')]],
  });
}

export function listWatchRoutes(): Route[] {
  return [
    { method: 'GET', path: '/containers/{name}/stats', summary: 'what it uses, live or once', support: 'partial', lacks: 'packets of networks; numbers are those of the machine', handle: sendStats },
    { method: 'GET', path: '/containers/{name}/top', summary: 'processes', support: 'partial', lacks: 'ps_args other than for threads (-L); of a machine without /proc the first process only, with the time of its machine', handle: top },
    { method: 'POST', path: '/containers/{name}/update', summary: 'change memory and restart policy', support: 'partial', lacks: 'other limits; memory of a running machine', handle: update },
  ];
}
