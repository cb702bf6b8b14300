/**
 * The switch itself: frames go from member to member, and the gateway's address answers ARP, echo, DHCP and DNS. Owns: who is a member. Rules: a member sends from its own hardware
 * address only and cannot be overheard by another; a member that does not read loses frames and slows nobody; no input of a guest throws.
 */
import { makeMac, formatIpv4, isWithin, sizeOf, type Subnet } from '../subnets.ts';
import { answerDhcp } from './dhcp.ts';
import { decodeQuestion, encodeAnswer, type Question, RCODE, readReverseName, TYPE } from './dns.ts';
import { answerEcho, decodeArpRequest, decodeIpv4, decodeUdp, encodeArpReply, encodeUdp, ETHERTYPE, formatMac, isGroup, parseMacText, PROTOCOL } from './frames.ts';

export interface Member {
  readonly address: number;
  readonly mac: string;
  /** Names under which others find it, the first one also for its address. */
  readonly names: readonly string[];
}

export interface SwitchSpec {
  readonly name: string;
  readonly subnet: Subnet;
  /** Asks the host's name servers: a message in, one out; undefined when there is no answer. */
  forward(query: Buffer): Promise<Buffer | undefined>;
}

/** Gives one frame to a member's machine. */
type Send = (frame: Buffer) => void;

interface Port {
  readonly member: Member;
  send: Send | undefined;
}

export interface Switch {
  readonly gateway: string;
  members(): Member[];
  /** A free address, or the wanted one; undefined when there is none or it is not free. */
  join(names: readonly string[], wanted?: number): Member | undefined;
  /** From now on frames go to it. */
  connect(member: Member, send: Send): void;
  leave(member: Member): void;
  receive(member: Member, frame: Buffer): void;
  /** Answers a question about names, if it is one. key: who asks; one has so many questions that wait at most. */
  answerName(key: string, message: Buffer, reply: (answer: Buffer) => void): Promise<void>;
}

const SMALLEST = 14;
const DNS = 53;
const DHCP = { SERVER: 67, CLIENT: 68 } as const;
const BROADCAST = 0xffffffff;
/** Questions of one member that wait for a name server of the host. */
const FORWARDS_MOST = 64;

export function createSwitch(spec: SwitchSpec): Switch {
  const gateway = spec.subnet.base + 1;
  const ownMac = parseMacText(makeMac(gateway));
  const ports = new Map<string, Port>(); // by hardware address
  const waiting = new Map<string, number>();
  const byAddress = (address: number) => [...ports.values()].find(({ member }) => member.address === address);

  function resolve(question: Question): Buffer | undefined {
    const { name, type } = question;
    const address = readReverseName(name);
    if (address !== undefined && isWithin(spec.subnet, address)) {
      const found = address === gateway ? 'gateway' : byAddress(address)?.member.names[0];
      return found === undefined ? encodeAnswer(question, RCODE.NAME_ERROR) : encodeAnswer(question, RCODE.NONE, { names: type === TYPE.PTR ? [`${found}.${spec.name}`] : [] });
    }
    const suffix = `.${spec.name.toLowerCase()}`;
    const short = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
    const found = [...ports.values()].filter(({ member }) => member.names.some((each) => each.toLowerCase() === short));
    if (found.length === 0) return undefined;
    const addresses = type === TYPE.A || type === TYPE.ANY ? found.map(({ member }) => Buffer.from(formatIpv4(member.address).split('.').map(Number))) : [];
    return encodeAnswer(question, RCODE.NONE, { addresses });
  }

  async function answerName(key: string, message: Buffer, reply: (answer: Buffer) => void): Promise<void> {
    const question = decodeQuestion(message);
    if (question === undefined) return;
    const own = resolve(question);
    if (own !== undefined) return reply(own);
    const pending = waiting.get(key) ?? 0;
    if (pending >= FORWARDS_MOST) return;
    waiting.set(key, pending + 1);
    try {
      const answer = await spec.forward(message);
      reply(answer !== undefined && answer.length <= 1400 ? answer : encodeAnswer(question, RCODE.SERVER_FAILURE));
    } finally {
      const left = (waiting.get(key) ?? 1) - 1;
      if (left === 0) waiting.delete(key);
      else waiting.set(key, left);
    }
  }

  function serve(port: Port, frame: Buffer): void {
    const type = frame.readUInt16BE(12);
    if (type === ETHERTYPE.ARP) {
      const request = decodeArpRequest(frame);
      if (request?.target === gateway) port.send?.(encodeArpReply(ownMac, gateway, request));
      return;
    }
    const packet = type === ETHERTYPE.IPV4 ? decodeIpv4(frame) : undefined;
    if (packet === undefined) return;
    if (packet.protocol === PROTOCOL.ICMP && packet.destination === gateway) {
      const reply = answerEcho(frame, packet, ownMac);
      if (reply !== undefined) port.send?.(reply);
      return;
    }
    const datagram = packet.protocol === PROTOCOL.UDP ? decodeUdp(packet) : undefined;
    if (datagram === undefined) return;
    const guestMac = parseMacText(port.member.mac);
    if (datagram.port === DHCP.SERVER && (datagram.destination === gateway || datagram.destination === BROADCAST)) {
      const { address } = port.member;
      const payload = answerDhcp(datagram.payload, { address, prefix: spec.subnet.prefix, server: gateway });
      if (payload !== undefined) port.send?.(encodeUdp(guestMac, ownMac, { source: gateway, sourcePort: DHCP.SERVER, destination: datagram.source === 0 ? BROADCAST : datagram.source, port: DHCP.CLIENT, payload }));
    } else if (datagram.port === DNS && datagram.destination === gateway) {
      const reply = (payload: Buffer) => port.send?.(encodeUdp(guestMac, ownMac, { source: gateway, sourcePort: DNS, destination: datagram.source, port: datagram.sourcePort, payload }));
      void answerName(port.member.mac, datagram.payload, reply);
    }
  }

  return {
    gateway: formatIpv4(gateway),
    members: () => [...ports.values()].map(({ member }) => member),
    join(names, wanted) {
      const last = spec.subnet.base + sizeOf(spec.subnet) - 1; // the subnet's broadcast address
      const isFree = (address: number) => address > gateway && address < last && byAddress(address) === undefined;
      let address = wanted ?? gateway + 1;
      if (wanted === undefined) while (address < last && !isFree(address)) address++;
      if (!isFree(address)) return undefined;
      const member: Member = { address, mac: makeMac(address), names };
      ports.set(member.mac, { member, send: undefined });
      return member;
    },
    connect(member, send) {
      const port = ports.get(member.mac);
      if (port !== undefined) port.send = send;
    },
    leave(member) {
      if (ports.get(member.mac)?.member === member) ports.delete(member.mac);
    },
    answerName,
    receive(member, frame) {
      const port = ports.get(member.mac);
      if (port?.member !== member || frame.length < SMALLEST || formatMac(frame.subarray(6, 12)) !== member.mac) return;
      const destination = frame.subarray(0, 6);
      if (isGroup(destination)) {
        for (const other of ports.values()) if (other !== port) other.send?.(frame);
        serve(port, frame);
      } else if (destination.equals(ownMac)) serve(port, frame);
      else ports.get(formatMac(destination))?.send?.(frame);
    },
  };
}
