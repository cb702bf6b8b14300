/**
 * Names on a network: RFC 1035 as far as a resolver in a C library asks. Owns: decoding of one question, and answers to those about members. Rules: a query may come from a hostile guest;
 * what is malformed decodes to undefined and is dropped; every answer fits into 512 bytes.
 */
export const TYPE = { A: 1, PTR: 12, AAAA: 28, ANY: 255 } as const;
const CLASS_IN = 1;
const HEADER = 12;

export interface Question {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** In lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** The question section as it came. */
  readonly bytes: Buffer;
}

export function decodeQuestion(message: Buffer): Question | undefined {
  if (message.length < HEADER + 5) return undefined;
  const flags = message.readUInt16BE(2);
  // A query (QR 0, OPCODE 0) with one question.
  if ((flags & 0xf800) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return undefined; // a pointer has no place in a question
    at++;
    if (length === 0) break;
    if (at + length > message.length || at - HEADER + length > 255) return undefined;
    labels.push(message.toString('latin1', at, at + length).toLowerCase());
    at += length;
  }
  if (at + 4 > message.length || message.readUInt16BE(at + 2) !== CLASS_IN) return undefined;
  return { id: message.readUInt16BE(0), recursionDesired: (flags & 0x100) !== 0, name: labels.join('.'), type: message.readUInt16BE(at), bytes: message.subarray(HEADER, at + 4) };
}

export const RCODE = { NONE: 0, SERVER_FAILURE: 2, NAME_ERROR: 3 } as const;

function encodeName(name: string): Buffer {
  return Buffer.concat([...name.split('.').map((label) => Buffer.from([Math.min(label.length, 63), ...Buffer.from(label.slice(0, 63), 'latin1')])), Buffer.from([0])]);
}

/** What stands behind a name: IPv4 addresses as four bytes, or names. */
export type Found = { readonly addresses: readonly Buffer[] } | { readonly names: readonly string[] };

export function encodeAnswer(question: Question, code: number, found: Found = { addresses: [] }): Buffer {
  const [type, data] = 'names' in found ? [TYPE.PTR, found.names.map(encodeName)] : [TYPE.A, found.addresses];
  const records = data.slice(0, 20).map((each) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc000 | HEADER, 0); // the question's name
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt16BE(each.length, 10); // time to live 0: members come and go
    return Buffer.concat([record, each]);
  });
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(question.id, 0);
  header.writeUInt16BE(0x8080 | (question.recursionDesired ? 0x100 : 0) | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question.bytes, ...records]);
}

/** "2.0.18.172.in-addr.arpa" -> the address as a number; undefined for other names. */
export function readReverseName(name: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  return match?.slice(1).reduceRight((value, part) => value * 256 + Number(part), 0);
}
