/**
 * DHCP on a network: RFC 2131 for machines that ask although hull has told them. Owns: one message in, at most one out. Rules: each member has one address, which the switch knows
 * by the port that the question came through; messages may be hostile; what is malformed gets no answer.
 */
const TYPES = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6, INFORM: 8 } as const;
const OPTION = { MASK: 1, ROUTER: 3, DNS: 6, REQUESTED: 50, LEASE: 51, TYPE: 53, SERVER: 54, END: 255 } as const;
const COOKIE = 0x63825363;
const FIXED = 240;
const LEASE_SECONDS = 86_400;

export interface Lease {
  readonly address: number;
  readonly prefix: number;
  /** The switch: it serves names, too. */
  readonly server: number;
}

function readOptions(message: Buffer): Map<number, Buffer> | undefined {
  const options = new Map<number, Buffer>();
  for (let at = FIXED; at < message.length; ) {
    const code = message[at] as number;
    if (code === OPTION.END) return options;
    if (code === 0) {
      at++;
      continue;
    }
    const length = message[at + 1];
    if (length === undefined || at + 2 + length > message.length) return undefined;
    options.set(code, message.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function encodeOption(code: number, ...words: number[]): Buffer {
  const bytes = Buffer.alloc(2 + words.length * 4);
  bytes[0] = code;
  bytes[1] = words.length * 4;
  for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, 2 + i * 4);
  return bytes;
}

/** The reply to a client's message, or undefined where there is none to give. */
export function answerDhcp(message: Buffer, lease: Lease): Buffer | undefined {
  if (message.length < FIXED || message[0] !== 1 || message[1] !== 1 || message[2] !== 6 || message.readUInt32BE(236) !== COOKIE) return undefined;
  const options = readOptions(message);
  const type = options?.get(OPTION.TYPE)?.[0];
  if (options === undefined || (type !== TYPES.DISCOVER && type !== TYPES.REQUEST && type !== TYPES.INFORM)) return undefined;
  const server = options.get(OPTION.SERVER);
  if (server !== undefined && (server.length !== 4 || server.readUInt32BE(0) !== lease.server)) return undefined; // it asks another one
  const requested = options.get(OPTION.REQUESTED);
  const wanted = requested?.length === 4 ? requested.readUInt32BE(0) : message.readUInt32BE(12);
  const isRefused = type === TYPES.REQUEST && wanted !== 0 && wanted !== lease.address;
  const reply = Buffer.alloc(FIXED);
  message.copy(reply, 0, 0, 44); // hardware type, transaction, flags, addresses, the client's hardware address
  reply[0] = 2;
  reply.fill(0, 8, 10);
  reply.fill(0, 16, 28);
  if (!isRefused && type !== TYPES.INFORM) reply.writeUInt32BE(lease.address, 16);
  reply.writeUInt32BE(COOKIE, 236);
  const kind = isRefused ? TYPES.NAK : type === TYPES.DISCOVER ? TYPES.OFFER : TYPES.ACK;
  const mask = (0xffffffff << (32 - lease.prefix)) >>> 0;
  const given = isRefused ? [] : [encodeOption(OPTION.MASK, mask), encodeOption(OPTION.DNS, lease.server), ...(type === TYPES.INFORM ? [] : [encodeOption(OPTION.LEASE, LEASE_SECONDS)])];
  return Buffer.concat([reply, Buffer.from([OPTION.TYPE, 1, kind]), encodeOption(OPTION.SERVER, lease.server), ...given, Buffer.from([OPTION.END])]);
}
