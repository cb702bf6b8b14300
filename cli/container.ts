/** `hull rename`, `update`, `port`, `container prune`, `system df|prune|info`. */
import { hostname, cpus, release, totalmem } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { EngineError, findStatePaths, listVolumes, matchLabels } from '../engine/index.ts';
import { describePorts, findInstance, isRunning, listInstances, outputSize, pruneInstances, renameInstance, updateInstance } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { parseRestartPolicy } from './create.ts';
import { UsageError } from './errors.ts';
import { formatBytesShort } from './human.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { parseMemory } from './quantities.ts';
import { formatTable } from './tables.ts';
import { writeOut } from './write-out.ts';

export async function renameCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  await renameInstance(paths.instances, await findInstance(paths, parsed.args[0] as string), parsed.args[1] as string);
  return 0;
}

export async function updateCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const memory = readValue(parsed, 'memory');
  const restart = readValue(parsed, 'restart');
  if (memory === undefined && restart === undefined) throw new UsageError('you must provide one or more flags when using this command', 'hull update');
  const update = { memory: memory === undefined ? undefined : parseMemory(memory, 'hull update'), restart: restart === undefined ? undefined : parseRestartPolicy(restart, 'hull update') };
  for (const name of parsed.args) {
    await updateInstance(name, context.env, update);
    await writeOut(`${name}\n`);
  }
  return 0;
}

export async function portCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [name, port] = parsed.args as [string, string | undefined];
  const instance = await findInstance(findStatePaths(context.env), name);
  const wanted = port === undefined ? undefined : port.includes('/') ? port : `${port}/tcp`;
  const found = Object.entries(describePorts(instance)).filter(([key]) => wanted === undefined || key === wanted);
  const lines = found.flatMap(([key, places]) => (places ?? []).map(({ HostIp, HostPort }) => `${wanted === undefined ? `${key} -> ` : ''}${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}\n`));
  if (wanted !== undefined && lines.length === 0) throw new EngineError('instance-conflict', `No public port '${wanted}' published for ${name}`);
  await writeOut(lines.join(''));
  return 0;
}

async function isSure(parsed: ParsedOptions, what: string): Promise<boolean> {
  if (parsed.switches.get('force') === true) return true;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question(`WARNING! This will remove ${what}.\nAre you sure you want to continue? [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

async function pruneStopped(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const labels = (parsed.values.get('filter') ?? []).map((text) => {
    if (!/^label=./.test(text)) throw new EngineError('option-invalid', `invalid filter '${text.split('=')[0]}'`);
    return text.slice(6);
  });
  const { ids, bytes } = await pruneInstances(context.env, ({ config }) => matchLabels(config.labels, labels));
  await writeOut(`${ids.length === 0 ? '' : `Deleted Containers:\n${ids.map((id) => `${id}\n`).join('')}\n`}Total reclaimed space: ${formatBytesShort(bytes)}\n`);
  return 0;
}

export async function containerCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  if (parsed.args[0] !== 'prune') throw new UsageError(`unknown command: hull container ${parsed.args[0]}, expected prune`, 'hull container');
  return (await isSure(parsed, 'all stopped containers')) ? pruneStopped(parsed, context) : 0;
}

export async function systemCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const instances = await listInstances(paths);
  const running = instances.filter(({ state }) => isRunning(state));
  switch (parsed.args[0]) {
    case 'df': {
      const size = (some: typeof instances) => formatBytesShort(some.reduce((sum, { folder }) => sum + outputSize(folder), 0));
      const volumes = listVolumes(paths.volumes);
      await writeOut(
        formatTable([
          ['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'],
          ['Containers', String(instances.length), String(running.length), size(instances), size(instances.filter(({ state }) => !isRunning(state)))],
          ['Local Volumes', String(volumes.length), '-', '-', '-'],
        ]),
      );
      return 0;
    }
    case 'prune':
      return (await isSure(parsed, 'all stopped containers')) ? pruneStopped(parsed, context) : 0;
    case 'info': {
      const count = (status: string) => instances.filter(({ state }) => state.status === status).length;
      await writeOut(
        [`Containers: ${instances.length}`, ` Running: ${count('running')}`, ` Paused: ${count('paused')}`, ` Stopped: ${instances.length - running.length}`, `Root Dir: ${paths.root}`, `Kernel Version: ${release()}`, `CPUs: ${cpus().length}`, `Total Memory: ${formatBytesShort(totalmem())}`, `Name: ${hostname()}`, ''].join('\n'),
      );
      return 0;
    }
    default:
      throw new UsageError(`unknown command: hull system ${parsed.args[0]}, expected df, prune or info`, 'hull system');
  }
}
