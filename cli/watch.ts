/** `hull events` and `hull stats`: what happens, and what instances use, once or until Ctrl-C. */
import { findStatePaths } from '../engine/index.ts';
import { type EngineEvent, findInstance, followEvents, type Instance, type InstanceStats, isRunning, listInstances, readEvents, readStats } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { formatBytesBinary, formatBytesShort } from './human.ts';
import { parseMoment } from './moments.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { formatList } from './tables.ts';
import { parseTemplate } from './templates.ts';
import { writeOut } from './write-out.ts';

function makeEventFilter(texts: readonly string[]): (event: EngineEvent) => boolean {
  const byName = new Map<string, string[]>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at <= 0) throw new UsageError('invalid filter: bad format of filter (expected name=value)', 'hull events');
    byName.set(text.slice(0, at), [...(byName.get(text.slice(0, at)) ?? []), text.slice(at + 1)]);
  }
  return ({ Type, Action, Actor: { ID, Attributes } }) =>
    [...byName].every(([name, values]) =>
      values.some((value) => {
        if (name === 'event') return Action === value;
        if (name === 'type') return Type === value;
        if (name === 'label') {
          const at = value.indexOf('=');
          return at < 0 ? Attributes[value] !== undefined : Attributes[value.slice(0, at)] === value.slice(at + 1);
        }
        if (name === 'image') return Attributes['image'] === value;
        return name === Type && (ID.startsWith(value) || Attributes['name'] === value);
      }),
    );
}

function formatEvent({ Type, Action, Actor, timeNano }: EngineEvent): string {
  const attributes = Object.entries(Actor.Attributes).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`);
  const time = new Date(timeNano / 1e6).toISOString().replace(/\.(\d{3})Z$/, '.$1000000Z');
  return `${time} ${Type} ${Action} ${Actor.ID}${attributes.length === 0 ? '' : ` (${attributes.join(', ')})`}\n`;
}

export async function eventsCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const { events } = findStatePaths(context.env);
  const since = readValue(parsed, 'since');
  const until = readValue(parsed, 'until');
  const format = readValue(parsed, 'format');
  const meets = makeEventFilter(parsed.values.get('filter') ?? []);
  const template = format === undefined || format === 'json' ? undefined : parseTemplate(format, 'hull events');
  const write = async (event: EngineEvent) => {
    if (!meets(event)) return;
    await writeOut(format === 'json' ? `${JSON.stringify(event)}\n` : template === undefined ? formatEvent(event) : `${template.apply(event)}\n`);
  };
  const from = since === undefined ? undefined : Number(parseMoment(since, 'since', 'hull events') / 1_000_000n);
  const to = until === undefined ? undefined : Number(parseMoment(until, 'until', 'hull events') / 1_000_000n);
  const ended = new AbortController();
  process.on('SIGINT', () => ended.abort());
  process.on('SIGTERM', () => ended.abort());
  const following = followEvents(events, ended.signal);
  if (from !== undefined || to !== undefined) {
    for (const event of readEvents(events)) {
      const time = event.timeNano / 1e6;
      if ((from === undefined || time >= from) && (to === undefined || time <= to)) await write(event);
    }
  }
  if (to !== undefined) {
    if (to <= Date.now()) return 0;
    setTimeout(() => ended.abort(), to - Date.now());
  }
  for await (const event of following) await write(event);
  return 0;
}

const COLUMNS = [
  { field: 'ID', title: 'CONTAINER ID' },
  { field: 'Name', title: 'NAME' },
  { field: 'CPUPerc', title: 'CPU %' },
  { field: 'MemUsage', title: 'MEM USAGE / LIMIT' },
  { field: 'MemPerc', title: 'MEM %' },
  { field: 'NetIO', title: 'NET I/O' },
  { field: 'BlockIO', title: 'BLOCK I/O' },
  { field: 'PIDs', title: 'PIDS' },
];
const PERIOD_MS = 1000;

function describe(instance: Instance, before: InstanceStats, now: InstanceStats, isWhole: boolean): Record<string, unknown> {
  const cpu = ((now.cpu - before.cpu) / ((now.time - before.time) * 1e6 || 1)) * 100;
  return {
    ID: isWhole ? instance.id : instance.id.slice(0, 12),
    Container: instance.config.name,
    Name: instance.config.name,
    CPUPerc: `${cpu.toFixed(2)}%`,
    MemUsage: `${formatBytesBinary(now.memory)} / ${formatBytesBinary(now.memoryLimit)}`,
    MemPerc: `${((now.memory / now.memoryLimit) * 100).toFixed(2)}%`,
    NetIO: now.network === undefined ? '--' : `${formatBytesShort(now.network.received)} / ${formatBytesShort(now.network.sent)}`,
    BlockIO: `${formatBytesShort(now.blockRead)} / ${formatBytesShort(now.blockWritten)}`,
    PIDs: String(now.threads),
  };
}

export async function statsCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const isOn = (name: string) => parsed.switches.get(name) === true;
  const find = async () => {
    if (parsed.args.length > 0) return await Promise.all(parsed.args.map((name) => findInstance(paths, name)));
    return (await listInstances(paths)).filter(({ state }) => isOn('all') || isRunning(state));
  };
  const format = readValue(parsed, 'format');
  let before = new Map<string, InstanceStats>();
  for (let turn = 0; ; turn++) {
    const instances = await find();
    const now = new Map(await Promise.all(instances.map(async (instance): Promise<[string, InstanceStats]> => [instance.id, await readStats(instance)])));
    const rows = instances.map((instance) => {
      const stats = now.get(instance.id) as InstanceStats;
      return describe(instance, before.get(instance.id) ?? stats, stats, isOn('no-trunc'));
    });
    before = now;
    if (turn > 0) {
      const text = formatList(rows, { format, columns: COLUMNS, titles: {}, command: 'hull stats' });
      await writeOut(isOn('no-stream') || process.stdout.isTTY !== true ? text : `\x1b[2J\x1b[H${text}`);
      if (isOn('no-stream')) return 0;
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}
