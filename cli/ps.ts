/** `hull ps`: docker's columns, filters and formats. */
import { EngineError, findStatePaths, matchLabels } from '../engine/index.ts';
import { describePorts, findInstance, formatSince, formatStatus, type Instance, isRunning, listInstances, matchPort, outputSize, readHealth } from '../engine/instances/index.ts';
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

type Filter = (instance: Instance) => boolean;

/** Values of one name are alternatives; names have to be met together. */
async function makeFilter(texts: readonly string[], context: CommandContext): Promise<Filter> {
  const byName = new Map<string, string[]>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at <= 0) throw new UsageError('invalid filter: bad format of filter (expected name=value)', COMMAND);
    byName.set(text.slice(0, at), [...(byName.get(text.slice(0, at)) ?? []), text.slice(at + 1)]);
  }
  const paths = findStatePaths(context.env);
  const filters: Filter[] = [];
  for (const [name, values] of byName) {
    const any = (meets: (instance: Instance, value: string) => boolean) => filters.push((instance) => values.some((value) => meets(instance, value)));
    switch (name) {
      case 'id':
        any(({ id }, value) => id.startsWith(value));
        break;
      case 'name':
        any(({ config }, value) => new RegExp(value.replace(/^\//, '')).test(config.name));
        break;
      case 'label':
        filters.push(({ config }) => matchLabels(config.labels, values));
        break;
      case 'status':
        for (const value of values) {
          if (!['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'].includes(value)) throw new EngineError('option-invalid', `invalid filter 'status=${value}'`);
        }
        any(({ state }, value) => state.status === value);
        break;
      case 'exited':
        any(({ state }, value) => state.status === 'exited' && state.exitCode === Number(value));
        break;
      case 'ancestor':
        any(({ config }, value) => config.image === value || config.image.startsWith(`${value}:`) || config.imageId === value);
        break;
      case 'volume':
        any(({ config }, value) => config.request.mounts.some(({ source, target }) => source === value || target === value || config.anonymous[target] === value));
        break;
      case 'network':
        any(({ config }, value) => (config.request.network.network ?? 'user') === value);
        break;
      case 'publish':
        any(({ state }, value) => state.ports.some(({ host, protocol }) => matchPort(value, host, protocol)));
        break;
      case 'expose':
        any((instance, value) => Object.keys(describePorts(instance)).some((key) => matchPort(value, Number(key.split('/')[0]), key.split('/')[1] as string)));
        break;
      case 'before':
      case 'since': {
        const found = await findInstance(paths, values[0] as string);
        filters.push(({ config }) => (name === 'before' ? config.created < found.config.created : config.created > found.config.created));
        break;
      }
      case 'health':
        any((instance, value) => (readHealth(instance)?.status ?? 'none') === value);
        break;
      case 'is-task':
      case 'isolation':
        any((_, value) => value === 'false' || value === 'default');
        break;
      default:
        throw new EngineError('option-invalid', `invalid filter '${name}'`);
    }
  }
  return (instance) => filters.every((filter) => filter(instance));
}

export async function psCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const isOn = (name: string) => parsed.switches.get(name) === true;
  const filters = parsed.values.get('filter') ?? [];
  const filter = await makeFilter(filters, context);
  const last = readValue(parsed, 'last');
  const most = isOn('latest') ? 1 : last === undefined ? undefined : Number(last);
  if (most !== undefined && !Number.isInteger(most)) throw new UsageError(`invalid argument "${last}" for "-n, --last" flag: expected a number`, COMMAND);
  const showsAll = isOn('all') || (most !== undefined && most > 0) || filters.some((text) => /^(status|exited)=/.test(text));
  const found = (await listInstances(findStatePaths(context.env))).filter((instance) => (showsAll || isRunning(instance.state)) && filter(instance));
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
