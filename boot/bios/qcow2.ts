/**
 * A raw disk image -> QEMU's qcow2 (QEMU docs/interop/qcow2.txt), version 2, clusters of 64 KiB, not compressed. Owns: the format. Rule: clusters that are zero are left out; the same
 * image gives the same bytes.
 *
 * Order in the file: header, data in the order of the disk, L2 tables, L1 table, reference counts, their table. All numbers big-endian.
 */
import { fstatSync, ftruncateSync, readSync } from 'node:fs';
import { isZero, writeAt } from './layout.ts';

const BITS = 16;
const CLUSTER = 1 << BITS;
const ENTRIES = CLUSTER / 8;
/** Clusters that one block of 16-bit reference counts covers. */
const COUNTED = CLUSTER / 2;
/** L1 and L2: this cluster has one reference, so that it may be written in place. */
const COPIED = 1n << 63n;

const clustersOf = (bytes: number) => Math.ceil(bytes / CLUSTER);

export function writeQcow2(raw: number, fd: number): void {
  const { size } = fstatSync(raw);
  let next = 1; // cluster 0 is the header
  const take = (count: number) => {
    const first = next;
    next += count;
    return first;
  };
  const offset = (cluster: number) => BigInt(cluster) << BigInt(BITS);

  const tables = new Map<number, Buffer>();
  const cluster = Buffer.alloc(CLUSTER);
  for (let index = 0; index < clustersOf(size); index++) {
    const got = readSync(raw, cluster, 0, CLUSTER, index * CLUSTER);
    if (isZero(cluster.subarray(0, got))) continue;
    cluster.fill(0, got);
    const at = take(1);
    writeAt(fd, cluster, at * CLUSTER);
    const table = tables.get(Math.floor(index / ENTRIES)) ?? Buffer.alloc(CLUSTER);
    tables.set(Math.floor(index / ENTRIES), table);
    table.writeBigUInt64BE(offset(at) | COPIED, (index % ENTRIES) * 8);
  }

  const l1Entries = Math.max(1, Math.ceil(clustersOf(size) / ENTRIES));
  const l1 = Buffer.alloc(clustersOf(l1Entries * 8) * CLUSTER);
  for (const [i, table] of tables) {
    const at = take(1);
    writeAt(fd, table, at * CLUSTER);
    l1.writeBigUInt64BE(offset(at) | COPIED, i * 8);
  }
  const l1At = take(l1.length / CLUSTER);
  writeAt(fd, l1, l1At * CLUSTER);

  // The counts count themselves and their table.
  let blocks = 1;
  let tableClusters = 1;
  while (blocks * COUNTED < next + blocks + tableClusters) {
    blocks++;
    tableClusters = clustersOf(blocks * 8);
  }
  const countsAt = take(blocks);
  const tableAt = take(tableClusters);
  const counts = Buffer.alloc(blocks * CLUSTER);
  for (let i = 0; i < next; i++) counts.writeUInt16BE(1, i * 2);
  writeAt(fd, counts, countsAt * CLUSTER);
  const table = Buffer.alloc(tableClusters * CLUSTER);
  for (let i = 0; i < blocks; i++) table.writeBigUInt64BE(offset(countsAt + i), i * 8);
  writeAt(fd, table, tableAt * CLUSTER);

  const header = Buffer.alloc(72);
  header.write('QFI\xfb', 'latin1');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(BITS, 20);
  header.writeBigUInt64BE(BigInt(size), 24);
  header.writeUInt32BE(l1Entries, 36);
  header.writeBigUInt64BE(offset(l1At), 40);
  header.writeBigUInt64BE(offset(tableAt), 48);
  header.writeUInt32BE(tableClusters, 56);
  writeAt(fd, header, 0);
  ftruncateSync(fd, next * CLUSTER);
}
