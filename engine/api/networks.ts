/**
 * Networks (Docker Engine API v1.47, "Network"). Owns: the form of the answers, and Docker's predefined networks in hull's terms: `bridge` is each machine's own user network, `none` is none.
 * Limit: a machine has one network, chosen before it starts.
 */
import { createHash } from 'node:crypto';
import { EngineError } from '../errors.ts';
import { connectInstance, disconnectInstance, type Instance, isRunning, listInstances, networkNameOf } from '../instances/index.ts';
import { createNetwork, findMembers, findNetwork, formatIpv4, listNetworks, type MemberInfo, type Network, parseSubnet, pruneNetworks, removeNetwork } from '../networks/index.ts';
import type { EndpointBody } from './containers/body.ts';
import { refuseUnmetEndpoint } from './containers/unmet.ts';
import { ApiError } from './error.ts';
import { readFilters, readJson, sendJson, sendStatus } from './messages.ts';
import { matchLabels } from '../labels.ts';
import { readPast } from './moments.ts';
import type { ApiContext, Exchange, Route } from './route.ts';

type NetworkForm = Record<string, unknown> & { readonly Name: string; readonly Id: string };

const idOf = (name: string) => createHash('sha256').update(`hull network ${name}`).digest('hex');

function describePredefined(name: string, driver: string, subnet?: string, gateway?: string): NetworkForm {
  return {
    Name: name,
    Id: idOf(name),
    Created: '1970-01-01T00:00:00Z',
    Scope: 'local',
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: subnet === undefined ? [] : [{ Subnet: subnet, Gateway: gateway }] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
  };
}

const PREDEFINED = [describePredefined('bridge', 'bridge', '10.0.2.0/24', '10.0.2.2'), describePredefined('none', 'null')];

const bitsOf = (network: Network) => network.subnet.split('/')[1];

function describeNetwork(network: Network, members: readonly MemberInfo[], instances: readonly Instance[]): NetworkForm {
  const idOfMember = ({ names, ip }: MemberInfo) => instances.find((each) => isRunning(each.state) && networkNameOf(each) === network.name && names.includes(each.config.name))?.id ?? names[0] ?? ip;
  return {
    ...describePredefined(network.name, 'bridge', network.subnet, members[0]?.gateway),
    Id: network.id,
    Created: network.created,
    Internal: network.isInternal,
    Containers: Object.fromEntries(
      members.map((member) => [idOfMember(member), { Name: member.names[0] ?? '', EndpointID: createHash('sha256').update(`${network.id} ${member.mac}`).digest('hex'), MacAddress: member.mac, IPv4Address: `${member.ip}/${bitsOf(network)}`, IPv6Address: '' }]),
    ),
    Labels: network.labels,
  };
}

/** `NetworkSettings.Networks` of an instance that is inspected. */
export async function describeEndpoints(instance: Instance, { paths, host }: ApiContext): Promise<{ networks: Record<string, object>; address: string; gateway: string }> {
  const name = networkNameOf(instance);
  const endpoint = { IPAMConfig: null, Links: null, Aliases: instance.config.request.network.aliases ?? null, MacAddress: '', DriverOpts: null, NetworkID: idOf(name), EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0, IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, DNSNames: null as readonly string[] | null };
  if (!isRunning(instance.state) || name === 'none') return { networks: { [name]: endpoint }, address: '', gateway: '' };
  if (name === 'bridge') {
    const address = instance.config.request.network.ip ?? '10.0.2.15';
    return { networks: { bridge: { ...endpoint, Gateway: '10.0.2.2', IPAddress: address, IPPrefixLen: 24, MacAddress: '52:54:00:12:34:56' } }, address, gateway: '10.0.2.2' };
  }
  const network = findNetwork(paths.networks, name);
  const member = network === undefined ? undefined : (await findMembers(network, host.env)).find(({ names }) => names.includes(instance.config.name));
  if (network === undefined || member === undefined) return { networks: { [name]: { ...endpoint, NetworkID: network?.id ?? '' } }, address: '', gateway: '' };
  const known = { NetworkID: network.id, EndpointID: createHash('sha256').update(`${network.id} ${member.mac}`).digest('hex'), Gateway: member.gateway, IPAddress: member.ip, IPPrefixLen: Number(bitsOf(network)), MacAddress: member.mac, DNSNames: member.names };
  return { networks: { [name]: { ...endpoint, ...known } }, address: '', gateway: '' };
}

function findPredefined(name: string): NetworkForm | undefined {
  return PREDEFINED.find((each) => each.Name === name || (name.length >= 4 && each.Id.startsWith(name)) || (name === 'default' && each.Name === 'bridge'));
}

async function find(exchange: Exchange): Promise<NetworkForm> {
  const { context } = exchange;
  const name = exchange.params['name'] as string;
  const own = findNetwork(context.paths.networks, name);
  if (own !== undefined) return describeNetwork(own, await findMembers(own, context.host.env), await listInstances(context.paths));
  const predefined = findPredefined(name);
  if (predefined === undefined) throw new EngineError('network-missing', `network ${name} not found`);
  return predefined;
}

const FILTERS: readonly string[] = ['name', 'id', 'label', 'driver', 'type', 'scope', 'dangling'];

async function list(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const filters = readFilters(query);
  for (const name of filters.keys()) if (!FILTERS.includes(name)) throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
  const instances = await listInstances(context.paths);
  const own = await Promise.all(listNetworks(context.paths.networks).map(async (network) => describeNetwork(network, await findMembers(network, context.host.env), instances)));
  const isMet = (network: NetworkForm) =>
    [...filters].every(([name, values]) => {
      switch (name) {
        case 'name':
          return values.some((value) => network.Name.includes(value));
        case 'id':
          return values.some((value) => network.Id.startsWith(value));
        case 'label':
          return matchLabels(network['Labels'] as Record<string, string>, values);
        case 'driver':
          return values.includes(network['Driver'] as string);
        case 'type':
          return values.includes(PREDEFINED.includes(network) ? 'builtin' : 'custom');
        case 'scope':
          return values.includes('local');
        default:
          return ['true', '1'].includes(values[0] ?? '') === (!PREDEFINED.includes(network) && !instances.some((each) => networkNameOf(each) === network.Name));
      }
    });
  // Members are shown by inspect alone, as Docker has it since 1.28.
  sendJson(
    exchange,
    [...PREDEFINED, ...own].filter(isMet).map((network) => ({ ...network, Containers: {} })),
  );
}

interface CreateNetworkBody {
  readonly Name: string;
  readonly Driver: string;
  readonly Internal: boolean;
  readonly Labels: Record<string, string> | null;
  readonly Options: Record<string, string> | null;
  readonly IPAM: { readonly Driver?: string; readonly Options?: Record<string, string> | null; readonly Config?: readonly { readonly Subnet?: string; readonly Gateway?: string; readonly IPRange?: string; readonly AuxiliaryAddresses?: Record<string, string> | null }[] | null } | null;
  readonly EnableIPv4: boolean | null;
  readonly EnableIPv6: boolean | null;
  readonly Ingress: boolean;
  readonly ConfigOnly: boolean;
  readonly ConfigFrom: { readonly Network?: string } | null;
  readonly Scope: string;
}

/** ApiError: what a network of machines cannot be. Options of Docker's bridge have no counterpart and no effect. */
function refuseUnmetNetwork({ IPAM, EnableIPv4, EnableIPv6, Ingress, ConfigOnly, ConfigFrom, Scope, Name = '' }: Partial<CreateNetworkBody>): void {
  const refuse = (what: string, expected: string) => new ApiError('parameter-invalid', `Cannot create network "${Name}": ${what}, expected ${expected}`);
  if (EnableIPv6 === true || EnableIPv4 === false) throw refuse('networks have IPv4 addresses', 'IPv4 only');
  if (Ingress === true || (Scope !== undefined && Scope !== '' && Scope !== 'local')) throw refuse('swarms have such networks', 'one of this host');
  if (ConfigOnly === true || (ConfigFrom?.Network ?? '') !== '') throw refuse('a network has its configuration itself', 'a whole one');
  if (!['', 'default'].includes(IPAM?.Driver ?? '')) throw refuse(`there is no IPAM driver "${IPAM?.Driver}"`, 'default');
  if (Object.keys(IPAM?.Options ?? {}).length > 0) throw refuse('its IPAM driver has no options', 'none');
  const [config, ...more] = IPAM?.Config ?? [];
  if (more.length > 0) throw refuse('a network has one subnet', 'one');
  if (config === undefined) return;
  if ((config.IPRange ?? '') !== '' || Object.keys(config.AuxiliaryAddresses ?? {}).length > 0) throw refuse('addresses are those of the whole subnet', 'neither an IP range nor auxiliary addresses');
  const subnet = parseSubnet(config.Subnet ?? '');
  const own = subnet && formatIpv4(subnet.base + 1);
  if ((config.Gateway ?? '') !== '' && config.Gateway !== own) throw refuse(`its gateway is the first address of its subnet, not ${config.Gateway}`, own ?? 'a subnet');
}

async function create(exchange: Exchange): Promise<void> {
  const body = await readJson<CreateNetworkBody>(exchange);
  const driver = body.Driver ?? '';
  if (driver !== '' && driver !== 'bridge' && driver !== 'default') throw new EngineError('network-missing', `could not find plugin ${driver} in v1 plugin registry: Cannot use driver "${driver}": expected bridge`);
  refuseUnmetNetwork(body);
  const subnet = body.IPAM?.Config?.[0]?.Subnet;
  const network = await createNetwork(exchange.context.paths.networks, body.Name ?? '', { subnet: subnet === '' ? undefined : subnet, isInternal: body.Internal === true, labels: body.Labels ?? {} });
  const isOptioned = Object.keys(body.Options ?? {}).length > 0;
  sendJson(exchange, { Id: network.id, Warning: isOptioned ? 'Options are ignored: the network has none' : '' }, 201);
}

async function remove(exchange: Exchange): Promise<void> {
  const { context, params } = exchange;
  const name = params['name'] as string;
  const predefined = findPredefined(name);
  await removeNetwork(context.paths.networks, predefined === undefined || findNetwork(context.paths.networks, name) !== undefined ? name : predefined.Name, context.host.env);
  sendStatus(exchange, 204);
}

interface ConnectBody {
  readonly Container: string;
  readonly EndpointConfig: EndpointBody | null;
}

async function connect(exchange: Exchange): Promise<void> {
  const body = await readJson<ConnectBody>(exchange);
  const { Id: id, Name: name } = await find(exchange);
  refuseUnmetEndpoint(name, body.EndpointConfig);
  const { Aliases, IPAMConfig } = body.EndpointConfig ?? {};
  await connectInstance(body.Container ?? '', exchange.context.host.env, { id, name }, { aliases: Aliases ?? [], ip: IPAMConfig?.IPv4Address || undefined });
  sendStatus(exchange, 200);
}

async function disconnect(exchange: Exchange): Promise<void> {
  const body = await readJson<ConnectBody>(exchange);
  const { Id: id, Name: name } = await find(exchange);
  await disconnectInstance(body.Container ?? '', exchange.context.host.env, { id, name });
  sendStatus(exchange, 200);
}

async function prune(exchange: Exchange): Promise<void> {
  const { paths, host } = exchange.context;
  const filters = readFilters(exchange.query);
  for (const name of filters.keys()) if (!['label', 'label!', 'until'].includes(name)) throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
  const until = filters.get('until')?.[0];
  const before = until === undefined ? Number.POSITIVE_INFINITY : readPast(until);
  const instances = await listInstances(paths);
  const gone = await pruneNetworks(paths.networks, host.env, ({ name, labels, created }) => {
    if (instances.some((each) => networkNameOf(each) === name) || Date.parse(created) >= before) return false;
    return matchLabels(labels, filters.get('label') ?? []) && (filters.get('label!') ?? []).every((each) => !matchLabels(labels, [each]));
  });
  sendJson(exchange, { NetworksDeleted: gone.length === 0 ? null : gone });
}

export function listNetworkRoutes(): Route[] {
  return [
    { method: 'GET', path: '/networks', summary: 'list networks', support: 'full', handle: list },
    { method: 'POST', path: '/networks/create', summary: 'create a network', support: 'partial', lacks: 'drivers other than bridge, options, IPv6, several subnets', handle: create },
    { method: 'POST', path: '/networks/prune', summary: 'remove networks that no container has', support: 'full', handle: prune },
    { method: 'GET', path: '/networks/{name}', summary: 'inspect a network', support: 'full', handle: async (exchange) => sendJson(exchange, await find(exchange)) },
    { method: 'DELETE', path: '/networks/{name}', summary: 'remove a network', support: 'full', handle: remove },
    { method: 'POST', path: '/networks/{name}/connect', summary: 'connect a container', support: 'partial', lacks: 'a machine that runs, and a second network', handle: connect },
    { method: 'POST', path: '/networks/{name}/disconnect', summary: 'disconnect a container', support: 'partial', lacks: 'a machine that runs', handle: disconnect },
  ];
}
