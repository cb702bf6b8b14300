/**
 * A journal that was not written back, replayed in memory (Linux Documentation/filesystems/ext4/journal.rst; jbd2's form, big-endian). Owns: which blocks it has newer than their places. Rules: only
 * transactions with a whole commit count; what a later one revoked is not replayed; a checksum that is wrong ends the log where it stands, as in Linux; nothing is written.
 */
import { crc32c } from './crc32c.ts';
import type { Ext4Device } from './device.ts';

const MAGIC = 0xc03b3998;
const TYPE = { DESCRIPTOR: 1, COMMIT: 2, SUPER_1: 3, SUPER_2: 4, REVOKE: 5 } as const;
const FEATURE = { REVOKE: 1, BITS_64: 2, ASYNC: 4, CHECKSUM_2: 8, CHECKSUM_3: 0x10, FAST_COMMIT: 0x20 } as const;
const KNOWN = FEATURE.REVOKE | FEATURE.BITS_64 | FEATURE.ASYNC | FEATURE.CHECKSUM_2 | FEATURE.CHECKSUM_3;
const TAG = { ESCAPED: 1, SAME_UUID: 2, DELETED: 4, LAST: 8 } as const;

interface Tag {
  readonly block: number;
  readonly flags: number;
  readonly checksum: number;
}

interface Transaction {
  readonly sequence: number;
  readonly tags: readonly { readonly tag: Tag; readonly at: number }[];
}

/** `read`: a block of the journal's, by its number within it. */
export function replayJournal(device: Ext4Device, length: number, read: (at: number) => Buffer): Map<number, Buffer> {
  const head = read(0);
  if (head.readUInt32BE(0) !== MAGIC || ![TYPE.SUPER_1, TYPE.SUPER_2].includes(head.readUInt32BE(4) as 3)) throw device.damaged('its journal is damaged');
  const hasFeatures = head.readUInt32BE(4) === TYPE.SUPER_2;
  const features = hasFeatures ? head.readUInt32BE(0x28) : 0;
  const unknown = (features & ~KNOWN) >>> 0;
  if (unknown !== 0) throw device.damaged(`its journal, which has to be replayed, has the feature 0x${unknown.toString(16)}`);
  const end = Math.min(length, head.readUInt32BE(0x10));
  const first = head.readUInt32BE(0x14);
  const start = head.readUInt32BE(0x1c);
  if (head.readUInt32BE(0xc) !== device.blockSize || first < 1 || first >= end || start >= end) throw device.damaged('its journal is damaged');
  const found = new Map<number, Buffer>();
  if (start === 0) return found; // empty
  const is64 = (features & FEATURE.BITS_64) !== 0;
  const isSummed = (features & (FEATURE.CHECKSUM_2 | FEATURE.CHECKSUM_3)) !== 0;
  const is3 = (features & FEATURE.CHECKSUM_3) !== 0;
  const tagSize = is3 ? 16 : (is64 ? 12 : 8) + ((features & FEATURE.CHECKSUM_2) !== 0 ? 2 : 0);
  const seed = crc32c(head.subarray(0x30, 0x40));
  const after = (at: number) => (at + 1 < end ? at + 1 : first);
  const readTag = (block: Buffer, at: number): Tag => ({
    block: block.readUInt32BE(at) + (is64 ? block.readUInt32BE(at + 8) * 2 ** 32 : 0),
    flags: is3 ? block.readUInt32BE(at + 4) : block.readUInt16BE(at + 6),
    checksum: is3 ? block.readUInt32BE(at + 12) : block.readUInt16BE(at + 4),
  });
  /** Whether a block's checksum, which lies at `place`, is right. */
  const isWhole = (block: Buffer, place: number): boolean => {
    if (!isSummed) return true;
    const copy = Buffer.from(block);
    copy.writeUInt32BE(0, place);
    return crc32c(copy, seed) === block.readUInt32BE(place);
  };

  // The transactions that are whole, and what they revoke.
  const transactions: Transaction[] = [];
  const revokes: { block: number; sequence: number }[] = [];
  let sequence = head.readUInt32BE(0x18);
  let tags: { tag: Tag; at: number }[] = [];
  let revoked: number[] = [];
  let at = start;
  scan: for (let steps = 0; steps < end; steps++) {
    const block = read(at);
    if (block.readUInt32BE(0) !== MAGIC || block.readUInt32BE(8) !== sequence) break;
    at = after(at);
    switch (block.readUInt32BE(4)) {
      case TYPE.DESCRIPTOR: {
        if (!isWhole(block, device.blockSize - 4)) break scan;
        const most = device.blockSize - (isSummed ? 4 : 0);
        for (let offset = 12; offset + tagSize <= most; ) {
          const tag = readTag(block, offset);
          offset += tagSize + ((tag.flags & TAG.SAME_UUID) === 0 ? 16 : 0);
          tags.push({ tag, at });
          at = after(at);
          if (tags.length > end) throw device.damaged('its journal is damaged');
          if ((tag.flags & TAG.LAST) !== 0) break;
        }
        break;
      }
      case TYPE.REVOKE: {
        if (!isWhole(block, device.blockSize - 4)) break scan;
        const used = Math.min(block.readUInt32BE(12), device.blockSize);
        const step = is64 ? 8 : 4;
        for (let offset = 16; offset + step <= used; offset += step) revoked.push(is64 ? Number(block.readBigUInt64BE(offset)) : block.readUInt32BE(offset));
        break;
      }
      case TYPE.COMMIT:
        if (!isWhole(block, 0x10)) break scan;
        transactions.push({ sequence, tags });
        for (const each of revoked) revokes.push({ block: each, sequence });
        tags = [];
        revoked = [];
        sequence = (sequence + 1) >>> 0;
        break;
      default:
        break scan;
    }
  }

  const lastRevoke = new Map<number, number>();
  for (const { block, sequence: by } of revokes) lastRevoke.set(block, by);
  for (const { sequence: number, tags: all } of transactions) {
    const name = Buffer.alloc(4);
    name.writeUInt32BE(number);
    for (const { tag, at: place } of all) {
      const by = lastRevoke.get(tag.block);
      if (by !== undefined && ((by - number) | 0) >= 0) continue;
      if (tag.block >= device.blocks) throw device.damaged('its journal names a block that is not there');
      const content = Buffer.from(read(place));
      if (isSummed) {
        const sum = crc32c(content, crc32c(name, seed));
        if ((is3 ? sum : sum & 0xffff) !== tag.checksum) throw device.damaged('a block in its journal is damaged');
      }
      if ((tag.flags & TAG.ESCAPED) !== 0) content.writeUInt32BE(MAGIC, 0);
      found.set(tag.block, content);
    }
  }
  return found;
}
