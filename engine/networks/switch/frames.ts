/**
 * Ethernet, ARP, IPv4, UDP and ICMP as far as the switch itself takes part: it answers for the gateway's address. Owns: the decoding and encoding of these headers
 * (RFC 826, 791, 768, 792). Rules: everything here may come from a hostile guest: what is too short or makes no sense decodes to undefined; nothing throws.
 */
export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;
export const PROTOCOL = { ICMP: 1, UDP: 17 } as const;
const ETHERNET = 14;
const IPV4 = 20;
const UDP = 8;

export interface Datagram {
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly port: number;
  readonly payload: Buffer;
}

export const isGroup = (mac: Buffer): boolean => ((mac[0] as number) & 1) === 1;

/** "52:54:00:12:34:56" of six bytes. */
export function formatMac(bytes: Buffer): string {
  return bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

export function parseMacText(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** RFC 1071. */
export function sumInternet(bytes: Buffer, start = 0): number {
  let sum = start;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  if (bytes.length % 2 === 1) sum += (bytes[bytes.length - 1] as number) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

export function encodeEthernet(destination: Buffer, source: Buffer, type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(ETHERNET);
  destination.copy(header, 0, 0, 6);
  source.copy(header, 6, 0, 6);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}

export interface ArpRequest {
  readonly sender: number;
  readonly senderMac: Buffer;
  readonly target: number;
}

/** Who asks for whose hardware address. */
export function decodeArpRequest(frame: Buffer): ArpRequest | undefined {
  const arp = frame.subarray(ETHERNET);
  if (arp.length < 28 || arp.readUInt32BE(0) !== 0x00010800 || arp.readUInt32BE(4) !== 0x06040001) return undefined;
  return { sender: arp.readUInt32BE(14), senderMac: arp.subarray(8, 14), target: arp.readUInt32BE(24) };
}

export function encodeArpReply(mac: Buffer, address: number, to: ArpRequest): Buffer {
  const arp = Buffer.alloc(28);
  arp.writeUInt32BE(0x00010800, 0);
  arp.writeUInt32BE(0x06040002, 4);
  mac.copy(arp, 8);
  arp.writeUInt32BE(address, 14);
  to.senderMac.copy(arp, 18);
  arp.writeUInt32BE(to.sender, 24);
  return encodeEthernet(to.senderMac, mac, ETHERTYPE.ARP, arp);
}

interface Ipv4Packet {
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
  readonly payload: Buffer;
}

/** A whole IPv4 packet with a right header; fragments are nobody's here. */
export function decodeIpv4(frame: Buffer): Ipv4Packet | undefined {
  const packet = frame.subarray(ETHERNET);
  if (packet.length < IPV4 || (packet[0] as number) >> 4 !== 4) return undefined;
  const size = ((packet[0] as number) & 15) * 4;
  const total = packet.readUInt16BE(2);
  if (size < IPV4 || total < size || total > packet.length || (packet.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
  if (sumInternet(packet.subarray(0, size)) !== 0xffff) return undefined;
  return { protocol: packet[9] as number, source: packet.readUInt32BE(12), destination: packet.readUInt32BE(16), payload: packet.subarray(size, total) };
}

function encodeIpv4(protocol: number, source: number, destination: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(IPV4);
  header[0] = 0x45;
  header.writeUInt16BE(IPV4 + payload.length, 2);
  header[8] = 64;
  header[9] = protocol;
  header.writeUInt32BE(source, 12);
  header.writeUInt32BE(destination, 16);
  header.writeUInt16BE(0xffff - sumInternet(header), 10);
  return Buffer.concat([header, payload]);
}

export function decodeUdp(packet: Ipv4Packet): Datagram | undefined {
  const { payload, source, destination } = packet;
  if (payload.length < UDP) return undefined;
  const length = payload.readUInt16BE(4);
  if (length < UDP || length > payload.length) return undefined;
  if (payload.readUInt16BE(6) !== 0 && sumUdp(payload.subarray(0, length), source, destination) !== 0xffff) return undefined;
  return { source, sourcePort: payload.readUInt16BE(0), destination, port: payload.readUInt16BE(2), payload: payload.subarray(UDP, length) };
}

function sumUdp(segment: Buffer, source: number, destination: number): number {
  const pseudo = Buffer.alloc(12);
  pseudo.writeUInt32BE(source, 0);
  pseudo.writeUInt32BE(destination, 4);
  pseudo[9] = PROTOCOL.UDP;
  pseudo.writeUInt16BE(segment.length, 10);
  return sumInternet(segment, sumInternet(pseudo));
}

/** A frame with one datagram in it. */
export function encodeUdp(destinationMac: Buffer, mac: Buffer, datagram: Datagram): Buffer {
  const header = Buffer.alloc(UDP);
  header.writeUInt16BE(datagram.sourcePort, 0);
  header.writeUInt16BE(datagram.port, 2);
  header.writeUInt16BE(UDP + datagram.payload.length, 4);
  const segment = Buffer.concat([header, datagram.payload]);
  segment.writeUInt16BE(0xffff - sumUdp(segment, datagram.source, datagram.destination) || 0xffff, 6);
  return encodeEthernet(destinationMac, mac, ETHERTYPE.IPV4, encodeIpv4(PROTOCOL.UDP, datagram.source, datagram.destination, segment));
}

/** The answer to an echo request, as a frame; undefined for anything else. */
export function answerEcho(frame: Buffer, packet: Ipv4Packet, mac: Buffer): Buffer | undefined {
  const { payload } = packet;
  if (payload.length < 8 || payload[0] !== 8 || payload[1] !== 0 || sumInternet(payload) !== 0xffff) return undefined;
  const reply = Buffer.from(payload);
  reply[0] = 0;
  reply.writeUInt16BE(0, 2);
  reply.writeUInt16BE(0xffff - sumInternet(reply), 2);
  return encodeEthernet(frame.subarray(6, 12), mac, ETHERTYPE.IPV4, encodeIpv4(PROTOCOL.ICMP, packet.destination, packet.source, reply));
}
