/** Containers as lists show them (Docker Engine API v1.47, ContainerList). Owns: the form. */
import { formatStatus, inspectInstance, type Instance, isRunning, networkNameOf, outputSize } from '../../instances/index.ts';
import type { StatePaths } from '../../state/index.ts';

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
