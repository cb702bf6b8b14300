/**
 * `GET /metrics`, when the engine was asked for it: numbers for Prometheus (Exposition formats, text format 0.0.4). Owns: names and values. Rules: what Docker's engine also counts has Docker's name; values of
 * machines are the host's view of them; nothing is kept between two requests but the counts of answers.
 */
import { cpus, totalmem } from 'node:os';
import { type Instance, isRunning, listInstances, readStats } from '../instances/index.ts';
import type { Exchange, Route } from './route.ts';

type Labels = Readonly<Record<string, string>>;
type Samples = readonly (readonly [Labels, number])[];

const escapeLabel = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function formatMetric(name: string, type: 'gauge' | 'counter', help: string, samples: Samples): string {
  const lines = samples.map(([labels, value]) => {
    const list = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${list.length === 0 ? '' : `{${list.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

/** Answers by method and status. */
export interface AnswerCounts {
  count(method: string, status: number): void;
  read(): Samples;
}

export function createAnswerCounts(): AnswerCounts {
  const counts = new Map<string, number>();
  return {
    count(method, status) {
      const key = `${method} ${status}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    read: () =>
      [...counts].map(([key, number]) => {
        const [method = '', code = ''] = key.split(' ');
        return [{ method, code }, number] as const;
      }),
  };
}

async function describeMetrics({ context }: Exchange): Promise<string> {
  const instances = await listInstances(context.paths);
  const running = instances.filter(({ state }) => isRunning(state));
  const used = await Promise.all(running.map(async (instance) => ({ instance, stats: await readStats(instance) })));
  const labelsOf = ({ id, config }: Instance): Labels => ({ id: id.slice(0, 12), name: config.name, image: config.image });
  const count = (isCounted: (instance: Instance) => boolean) => instances.filter(isCounted).length;
  const perMachine = (value: (stats: (typeof used)[number]['stats']) => number): Samples => used.map(({ instance, stats }) => [labelsOf(instance), value(stats)] as const);
  return [
    formatMetric('engine_daemon_engine_info', 'gauge', 'The engine itself.', [[{ version: context.version, os_type: 'linux', graphdriver: 'hull' }, 1]]),
    formatMetric('engine_daemon_engine_cpus_cpus', 'gauge', 'CPUs of the host.', [[{}, cpus().length]]),
    formatMetric('engine_daemon_engine_memory_bytes', 'gauge', 'Memory of the host.', [[{}, totalmem()]]),
    formatMetric('engine_daemon_container_states_containers', 'gauge', 'Containers by their state.', [
      [{ state: 'running' }, count(({ state }) => state.status === 'running')],
      [{ state: 'paused' }, count(({ state }) => state.status === 'paused')],
      [{ state: 'stopped' }, count(({ state }) => !isRunning(state))],
    ]),
    formatMetric('hull_container_cpu_seconds_total', 'counter', 'CPU time of the machine since it began.', perMachine(({ cpu }) => cpu / 1e9)),
    formatMetric('hull_container_memory_bytes', 'gauge', 'Memory of the host that the machine has.', perMachine(({ memory }) => memory)),
    formatMetric('hull_container_memory_limit_bytes', 'gauge', 'Memory that the machine can have.', perMachine(({ memoryLimit }) => memoryLimit)),
    formatMetric('hull_container_block_read_bytes_total', 'counter', 'Bytes that the machine read from its disks.', perMachine(({ blockRead }) => blockRead)),
    formatMetric('hull_container_block_written_bytes_total', 'counter', 'Bytes that the machine wrote to its disks.', perMachine(({ blockWritten }) => blockWritten)),
    formatMetric('hull_container_restarts_total', 'counter', 'Starts by the restart policy.', instances.map((instance) => [labelsOf(instance), instance.state.restartCount] as const)),
    formatMetric('hull_api_answers_total', 'counter', 'Answers of the API by method and status.', context.answers.read()),
  ].join('');
}

async function metrics(exchange: Exchange): Promise<void> {
  const text = await describeMetrics(exchange);
  exchange.response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  exchange.response.end(text);
}

export function listMetricsRoutes(): Route[] {
  return [{ method: 'GET', path: '/metrics', summary: 'numbers for Prometheus, with `--metrics` only', support: 'full', handle: metrics }];
}
