/**
 * Networks on a bridge of the host (`hull network create --driver bridge`): the bridge with the gateway's address, and a table of nftables: NAT for what leaves, published ports that lead to members, and
 * no other way in. Owns: the names of both, the rules' text. Rules: a table is written as a whole, in one transaction, so writing it again sweeps what a process that was killed left; nothing of the
 * host's own rules is touched.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { EngineError } from '../errors.ts';
import type { Protocol } from './ports.ts';
import { formatIpv4, makeMac, type Subnet } from './subnets.ts';

/** What there is to know of such a network. */
export interface HostBridge {
  readonly name: string;
  readonly id: string;
  readonly subnet: Subnet;
  readonly isInternal: boolean;
}

/** A port of the host (address 0.0.0.0: all of its addresses) and the member that it leads to. */
export interface BridgePort {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly target: { readonly address: string; readonly port: number };
}

/** Names of interfaces have at most 15 letters. */
export const bridgeNameOf = ({ id }: { readonly id: string }): string => `hull${id.slice(0, 10)}`;
const tableOf = ({ id }: HostBridge) => `hull_${id.slice(0, 12)}`;

function run(network: HostBridge, command: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((done, fail) => {
    const child = execFile(command, args, (error, _, stderr) => {
      if (error === null) return done();
      const { code } = error as NodeJS.ErrnoException;
      const what = code === 'ENOENT' ? `this host has no ${command} command` : stderr.trim().split('\n')[0] || error.message;
      fail(new EngineError('network-refused', `Cannot put network "${network.name}" on a bridge of this host: ${what}, expected root, or CAP_NET_ADMIN, and the commands ip and nft`, { cause: error }));
    });
    child.stdin?.on('error', () => {}); // it ended without reading
    child.stdin?.end(input);
  });
}

/** Not /sys, which is of the network namespace that mounted it. */
const hasInterface = (name: string) => readFileSync('/proc/self/net/dev', 'utf8').split('\n').some((line) => line.trim().startsWith(`${name}:`));

/** The bridge, its address, and forwarding; what is there already stays. */
export async function makeBridge(network: HostBridge): Promise<void> {
  const bridge = bridgeNameOf(network);
  const gateway = network.subnet.base + 1;
  if (!hasInterface(bridge)) {
    await run(network, 'ip', ['link', 'add', bridge, 'address', makeMac(gateway), 'type', 'bridge']).catch((error: unknown) => {
      if (!hasInterface(bridge)) throw error; // else another one was faster
    });
  }
  await run(network, 'ip', ['addr', 'replace', `${formatIpv4(gateway)}/${network.subnet.prefix}`, 'dev', bridge]);
  await run(network, 'ip', ['link', 'set', bridge, 'up']);
  if (network.isInternal || readFileSync(FORWARDING, 'utf8').trim() === '1') return;
  try {
    writeFileSync(FORWARDING, '1\n');
  } catch (error) {
    throw new EngineError('network-refused', `Cannot put network "${network.name}" on a bridge of this host: net.ipv4.ip_forward is 0 and cannot be changed, expected 1`, { cause: error });
  }
}
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

/** As `nft -f` reads it (nft(8)). A port of all addresses is left to the relay for whoever asks from the bridge or from this host itself. */
export function formatRules(network: HostBridge, ports: readonly BridgePort[]): string {
  const [table, bridge] = [tableOf(network), `"${bridgeNameOf(network)}"`];
  const subnet = `${formatIpv4(network.subnet.base)}/${network.subnet.prefix}`;
  const leads = ports.filter(({ address }) => !address.includes(':')).map(({ protocol, address, port, target }) => {
    const to = address === '0.0.0.0' ? 'fib daddr type local' : `ip daddr ${address}`;
    return `    iifname != ${bridge} ${to} ${protocol} dport ${port} dnat to ${target.address}:${target.port}\n`;
  });
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain in {
    type nat hook prerouting priority dstnat;
${leads.join('')}  }
  chain out {
    type nat hook postrouting priority srcnat;
${network.isInternal ? '' : `    ip saddr ${subnet} oifname != ${bridge} masquerade\n`}  }
  chain apart {
    type filter hook forward priority filter;
    iifname ${bridge} oifname ${bridge} accept
${network.isInternal ? `    iifname ${bridge} drop\n` : ''}    oifname ${bridge} ct state established,related accept
    oifname ${bridge} ct status dnat accept
    oifname ${bridge} drop
  }
}
`;
}

export const writeRules = (network: HostBridge, ports: readonly BridgePort[]): Promise<void> => run(network, 'nft', ['-f', '-'], formatRules(network, ports));

/** Neither bridge nor table; it is no error when they were not there. */
export async function removeBridge(network: HostBridge): Promise<void> {
  const [table, bridge] = [tableOf(network), bridgeNameOf(network)];
  await run(network, 'nft', ['-f', '-'], `add table ip ${table}\ndelete table ip ${table}\n`);
  if (hasInterface(bridge)) await run(network, 'ip', ['link', 'del', bridge]);
}
