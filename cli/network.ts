/** `hull network create|ls|inspect|connect|disconnect|rm|prune`: Docker's verbs on networks, with Docker's output. */
import { createNetwork, driverOf, EngineError, findMembers, findNetwork, findStatePaths, listNetworks, matchLabels, type MemberInfo, type Network, pruneNetworks, removeNetwork, serveNetwork } from '../engine/index.ts';
import { connectInstance, disconnectInstance } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { forEachName } from './each-name.ts';
import { UsageError } from './errors.ts';
import { parseLabels } from './labels.ts';
import type { ParsedOptions } from './options.ts';
import { writeOut } from './write-out.ts';

const COMMAND = 'hull network';
const SHORT_ID = 12;
/** What is there without being made. */
const BUILT_IN = [
  { name: 'none', driver: 'null' },
  { name: 'user', driver: 'user' },
];

/** As `docker network inspect` shows one. */
function describeNetwork(network: Network, members: readonly MemberInfo[]): object {
  const bits = network.subnet.split('/')[1];
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: 'local',
    Driver: driverOf(network),
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: {}, Config: [{ Subnet: network.subnet }] },
    Internal: network.isInternal,
    Attachable: false,
    Ingress: false,
    Containers: Object.fromEntries(members.map(({ names, mac, ip }) => [names[0] ?? ip, { Name: names[0] ?? '', MacAddress: mac, IPv4Address: `${ip}/${bits}`, IPv6Address: '' }])),
    Options: {},
    Labels: network.labels,
  };
}

function isWanted(network: Network, filters: readonly string[]): boolean {
  return filters.every((filter) => {
    const [key = '', ...rest] = filter.split('=');
    const value = rest.join('=');
    if (key === 'name') return network.name.includes(value);
    if (key === 'id') return network.id.startsWith(value);
    if (key === 'label') return matchLabels(network.labels, [value]);
    throw new EngineError('option-invalid', `invalid filter '${key}', expected name, id or label`);
  });
}

function formatList(networks: readonly Network[], builtIn: boolean): string {
  const rows = [['NETWORK ID', 'NAME', 'DRIVER', 'SCOPE'], ...(builtIn ? BUILT_IN.map(({ name, driver }) => ['-', name, driver, 'local']) : []), ...networks.map((network) => [network.id.slice(0, SHORT_ID), network.name, driverOf(network), 'local'])];
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => (row[i] as string).length)) + 3);
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('')}\n`).join('');
}

function requireNetwork(networks: string, text: string): { id: string; name: string } {
  const found = findNetwork(networks, text);
  if (found !== undefined) return found;
  if (text === 'none') return { id: '', name: text };
  if (text === 'user' || text === 'bridge' || text === 'default') return { id: '', name: 'bridge' };
  throw new EngineError('network-missing', `network ${text} not found`);
}

export async function networkCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [verb, ...names] = parsed.args;
  const { networks } = findStatePaths(context.env);
  const filters = parsed.values.get('filter') ?? [];
  const requireNames = () => {
    if (names.length === 0) throw new UsageError(`"${COMMAND} ${verb}" requires at least 1 argument`, COMMAND);
  };
  switch (verb) {
    case 'create': {
      if (names.length !== 1) throw new UsageError(`"${COMMAND} create" requires exactly 1 argument`, COMMAND);
      const subnet = parsed.values.get('subnet')?.at(-1);
      const network = await createNetwork(networks, names[0] as string, { driver: parsed.values.get('driver')?.at(-1), subnet, isInternal: parsed.switches.get('internal') === true, labels: parseLabels(parsed.values.get('label') ?? []) });
      await writeOut(`${network.id}\n`);
      return 0;
    }
    case 'ls':
    case 'list': {
      const found = listNetworks(networks).filter((network) => isWanted(network, filters));
      await writeOut(parsed.switches.get('quiet') === true ? found.map(({ id }) => `${id.slice(0, SHORT_ID)}\n`).join('') : formatList(found, filters.length === 0));
      return 0;
    }
    case 'inspect': {
      requireNames();
      const found = names.map((name) => findNetwork(networks, name));
      const texts = await Promise.all(found.filter((network) => network !== undefined).map(async (network) => describeNetwork(network, await findMembers(network, context.env))));
      await writeOut(`${JSON.stringify(texts, null, 4)}\n`);
      for (const [i, network] of found.entries()) if (network === undefined) process.stderr.write(`hull: network ${names[i]} not found\n`);
      return found.includes(undefined) ? 1 : 0;
    }
    case 'connect':
    case 'disconnect': {
      const [network, instance] = names;
      if (network === undefined || instance === undefined || names.length !== 2) throw new UsageError(`"${COMMAND} ${verb}" requires exactly 2 arguments`, COMMAND);
      const ref = requireNetwork(networks, network);
      if (verb === 'connect') await connectInstance(instance, context.env, ref, { aliases: parsed.values.get('alias') ?? [], ip: parsed.values.get('ip')?.at(-1) });
      else await disconnectInstance(instance, context.env, ref);
      return 0;
    }
    case 'rm':
    case 'remove': {
      requireNames();
      const isForced = parsed.switches.get('force') === true;
      return forEachName(names, async (name) => {
        if (!isForced || findNetwork(networks, name) !== undefined) await removeNetwork(networks, name, context.env);
        return name;
      });
    }
    case 'prune': {
      const gone = await pruneNetworks(networks, context.env);
      await writeOut(gone.length === 0 ? '' : `Deleted Networks:\n${gone.map((name) => `${name}\n`).join('')}`);
      return 0;
    }
    case 'serve': {
      // Not for people: the first machine of a network starts it.
      if (names.length !== 1) throw new UsageError(`"${COMMAND} serve" requires exactly 1 argument`, COMMAND);
      await serveNetwork(networks, names[0] as string, context.env);
      return 0;
    }
    default:
      throw new UsageError(`unknown command: ${COMMAND} ${verb}, expected create, ls, inspect, connect, disconnect, rm or prune`, COMMAND);
  }
}
