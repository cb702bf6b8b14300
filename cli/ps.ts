/** `hull ps`: docker's columns, filters and formats. */
import { findStatePaths } from '../engine/index.ts';
import { describePorts, formatSince, formatStatus, type Instance, isRunning, listInstances, makeInstanceFilter, outputSize } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { formatBytesShort } from './human.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { formatList } from './tables.ts';
import { writeOut } from './write-out.ts';

const COMMAND = 'hull ps';

const COLUMNS = [
  { field: 'ID', title: 'CONTAINER ID' },
  { field: 'Image', title: 'IMAGE' },
  { field: 'Command', title: 'COMMAND' },
  { field: 'RunningFor', title: 'CREATED' },
  { field: 'Status', title: 'STATUS' },
  { field: 'Ports', title: 'PORTS' },
  { field: 'Names', title: 'NAMES' },
];
const TITLES = { CreatedAt: 'CREATED AT', State: 'STATE', Size: 'SIZE', Labels: 'LABELS', Mounts: 'MOUNTS', Networks: 'NETWORKS', LocalVolumes: 'LOCAL VOLUMES', Platform: 'PLATFORM', Label: (name: unknown) => String(name) } as unknown as Record<string, string>;

function formatPorts(instance: Instance): string {
  return Object.entries(describePorts(instance))
    .flatMap(([port, places]) => (places === null ? [port] : places.map(({ HostIp, HostPort }) => `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}->${port}`)))
    .join(', ');
}

function describe(instance: Instance, isWhole: boolean): Record<string, unknown> {
  const { id, config } = instance;
  const { request } = config;
  const command = [request.entrypoint ?? request.program, ...request.args].join(' ');
  const cut = (text: string, size: number) => (isWhole || text.length <= size ? text : `${text.slice(0, size - 1)}…`);
  const volumes = request.mounts.filter(({ type }) => type === 'volume');
  return {
    ID: isWhole ? id : id.slice(0, 12),
    Image: config.image,
    Command: `"${cut(command, 20)}"`,
    CreatedAt: `${config.created.slice(0, 19).replace('T', ' ')} +0000 UTC`,
    RunningFor: `${formatSince(config.created)} ago`,
    Status: formatStatus(instance),
    State: instance.state.status,
    Ports: isRunning(instance.state) ? formatPorts(instance) : '',
    Names: config.name,
    Labels: Object.entries(config.labels).map(([name, value]) => `${name}=${value}`).join(','),
    Label: (name: unknown) => config.labels[String(name)] ?? '',
    LocalVolumes: String(volumes.length),
    Mounts: request.mounts.map(({ source, target }) => cut(source ?? config.anonymous[target] ?? '', 15)).filter((text) => text !== '').join(','),
    Networks: request.network.network ?? 'user',
    Size: formatBytesShort(outputSize(instance.folder)),
    Platform: null,
  };
}

/** NAME=VALUE, by name. */
function readFilters(texts: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at <= 0) throw new UsageError('invalid filter: bad format of filter (expected name=value)', COMMAND);
    const name = text.slice(0, at);
    filters.set(name, [...(filters.get(name) ?? []), text.slice(at + 1)]);
  }
  return filters;
}

export async function psCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const isOn = (name: string) => parsed.switches.get(name) === true;
  const filters = parsed.values.get('filter') ?? [];
  const paths = findStatePaths(context.env);
  const filter = await makeInstanceFilter(readFilters(filters), paths);
  const last = readValue(parsed, 'last');
  const most = isOn('latest') ? 1 : last === undefined ? undefined : Number(last);
  if (most !== undefined && !Number.isInteger(most)) throw new UsageError(`invalid argument "${last}" for "-n, --last" flag: expected a number`, COMMAND);
  const showsAll = isOn('all') || (most !== undefined && most > 0) || filters.some((text) => /^(status|exited)=/.test(text));
  const found = (await listInstances(paths)).filter((instance) => (showsAll || isRunning(instance.state)) && filter(instance));
  const shown = most !== undefined && most > 0 ? found.slice(0, most) : found;
  const isWhole = isOn('no-trunc');
  const format = readValue(parsed, 'format');
  if (isOn('quiet') && format === undefined) {
    await writeOut(shown.map(({ id }) => `${isWhole ? id : id.slice(0, 12)}\n`).join(''));
    return 0;
  }
  const columns = isOn('size') ? [...COLUMNS, { field: 'Size', title: 'SIZE' }] : COLUMNS;
  await writeOut(formatList(shown.map((instance) => describe(instance, isWhole)), { format, columns, titles: TITLES, command: COMMAND }));
  return 0;
}
