/** Containers as lists show them (Docker Engine API v1.47, ContainerList). Owns: the form, Docker's words for how long, and the filters. */
import { findInstance, formatStatus, inspectInstance, type Instance, isRunning, matchPort, networkNameOf, outputSize } from '../../instances/index.ts';
import type { StatePaths } from '../../state/index.ts';
import { ApiError } from '../error.ts';
import { matchLabels } from '../../labels.ts';

function describeListPorts({ config, state }: Instance): object[] {
  const published = state.ports.map(({ address, guest, host, protocol }) => ({ IP: address === '' ? '0.0.0.0' : address, PrivatePort: guest, PublicPort: host, Type: protocol }));
  const open = (config.exposed ?? []).flatMap((text) => {
    const [port, protocol = 'tcp'] = text.split('/');
    return published.some(({ PrivatePort, Type }) => PrivatePort === Number(port) && Type === protocol) ? [] : [{ PrivatePort: Number(port), Type: protocol }];
  });
  return [...open, ...published];
}

export function describeListed(instance: Instance, paths: StatePaths, withSize: boolean): Record<string, unknown> {
  const { id, config, state } = instance;
  const whole = inspectInstance(instance, paths.volumes) as { Mounts: object[]; HostConfig: { NetworkMode?: string } };
  return {
    Id: id,
    Names: [`/${config.name}`],
    Image: config.image,
    ImageID: config.imageId ?? '',
    Command: [config.request.entrypoint ?? config.request.program, ...config.request.args].join(' '),
    Created: Math.floor(Date.parse(config.created) / 1000),
    Ports: isRunning(state) ? describeListPorts(instance) : [],
    ...(withSize ? { SizeRw: outputSize(instance.folder), SizeRootFs: outputSize(instance.folder) } : {}),
    Labels: config.labels,
    State: state.status,
    Status: formatStatus(instance),
    HostConfig: { NetworkMode: whole.HostConfig.NetworkMode ?? 'default' },
    NetworkSettings: { Networks: { [networkNameOf(instance)]: { IPAMConfig: null, Links: null, Aliases: null, MacAddress: '', NetworkID: '', EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0 } } },
    Mounts: whole.Mounts,
  };
}

type Test = (instance: Instance, value: string) => boolean;

const STATUSES: readonly string[] = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

function matchName(name: string, text: string): boolean {
  let pattern: RegExp;
  try {
    pattern = new RegExp(text);
  } catch (cause) {
    throw new ApiError('parameter-invalid', `invalid filter 'name=${text}'`, { cause });
  }
  return pattern.test(`/${name}`) || pattern.test(name);
}

const ANY: Readonly<Record<string, Test>> = {
  id: ({ id }, value) => id.startsWith(value),
  name: ({ config }, value) => matchName(config.name, value),
  status: ({ state }, value) => state.status === value,
  exited: ({ state }, value) => state.status === 'exited' && state.exitCode === Number(value),
  ancestor: ({ config }, value) => config.image === value || config.image.startsWith(`${value}:`) || `${config.image}:latest` === value || config.imageId === value || (/^[0-9a-f]{12,}$/.test(value) && config.imageId?.startsWith(`sha256:${value}`) === true),
  volume: ({ config }, value) => config.request.mounts.some(({ source, target }) => source === value || target === value || config.anonymous[target] === value),
  network: (instance, value) => networkNameOf(instance) === value,
  publish: ({ state }, value) => state.ports.some(({ host, protocol }) => matchPort(value, host, protocol)),
  expose: ({ config }, value) => (config.exposed ?? []).some((each) => matchPort(value, Number(each.split('/')[0]), each.split('/')[1] ?? 'tcp')),
  health: ({ config }, value) => (config.health === undefined ? value === 'none' : false),
  'is-task': (_, value) => value === 'false' || value === '0',
  isolation: (_, value) => value === 'default',
};

/** Values of one name are alternatives, names have to be met together; labels all. */
export async function makeContainerFilter(filters: ReadonlyMap<string, readonly string[]>, paths: StatePaths): Promise<(instance: Instance) => boolean> {
  const tests: ((instance: Instance) => boolean)[] = [];
  for (const [name, values] of filters) {
    if (name === 'label') tests.push(({ config }) => matchLabels(config.labels, values));
    else if (name === 'label!') tests.push(({ config }) => !matchLabels(config.labels, values));
    else if (name === 'before' || name === 'since') {
      const found = await findInstance(paths, values[0] ?? '');
      tests.push(({ config }) => (name === 'before' ? config.created < found.config.created : config.created > found.config.created));
    } else {
      const test = ANY[name];
      if (test === undefined) throw new ApiError('parameter-invalid', `invalid filter '${name}'`);
      const wrong = name === 'status' ? values.find((value) => !STATUSES.includes(value)) : undefined;
      if (wrong !== undefined) throw new ApiError('parameter-invalid', `invalid filter 'status=${wrong}'`);
      tests.push((instance) => values.some((value) => test(instance, value)));
    }
  }
  return (instance) => tests.every((test) => test(instance));
}
