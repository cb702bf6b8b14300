/**
 * The boot module: what the host tells the guest at its start (libos/abi/boot_abi.h, "Boot module"). Header, then records of u32
 * type, u32 size, payload, zero padding to 8. Owns: the encoder, and a decoder for tests and for doubtful moments.
 */
import { ABI_VERSION, MODULE, MODULE_MAGIC } from './constants.ts';
import { encodeMounts, type GuestMount } from './mounts.ts';
import { encodeFiles, encodeInterfaces, type GuestFile, type NetworkInterface } from './network.ts';

const HEADER_SIZE = 16;
const PAGE = 4096;

export interface BootModule {
  readonly flags: number;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string | undefined;
  readonly hostname?: string | undefined;
  readonly entropy: Uint8Array;
  readonly realtime: bigint;
  readonly tscKhz?: number | undefined;
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] } | undefined;
  readonly windowSize?: { readonly rows: number; readonly columns: number } | undefined;
  /** An EROFS image, appended page-aligned after the records; a number: its bytes, which whoever wants the module puts behind it. */
  readonly rootfs?: Uint8Array | number | undefined;
  /** Where on a disk the module lies, so that the guest reads from there what of it was not loaded. */
  readonly disk?: number | undefined;
  /** Port and value that switch the machine off; zeros where the boot loader finds them. */
  readonly power?: { readonly port: number; readonly value: number } | undefined;
  readonly exec?: string | undefined;
  /** Rules of tracing, 8 bytes a system call. */
  readonly trace?: Uint8Array | undefined;
  /** Addresses of the network devices, where they are known. */
  readonly interfaces?: readonly NetworkInterface[] | undefined;
  /** Files over those of the root file system. */
  readonly files?: readonly GuestFile[] | undefined;
  /** Made in this order, after the root. */
  readonly mounts?: readonly GuestMount[] | undefined;
  /** The disk that has the root's writable layer. */
  readonly upper?: string | undefined;
}

function encodeStrings(strings: readonly string[]): Buffer {
  return Buffer.from(strings.map((text) => `${text}\0`).join(''), 'utf8');
}

function encodeU64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function encodeBootModule(module: BootModule): Buffer {
  const records: [number, Uint8Array][] = [
    [MODULE.ARGV, encodeStrings(module.argv)],
    [MODULE.ENV, encodeStrings(module.env)],
    [MODULE.ENTROPY, module.entropy],
    [MODULE.REALTIME, encodeU64(module.realtime)],
  ];
  if (module.cwd !== undefined) records.push([MODULE.CWD, Buffer.from(module.cwd, 'utf8')]);
  if (module.hostname !== undefined) records.push([MODULE.HOSTNAME, Buffer.from(module.hostname, 'utf8')]);
  if (module.tscKhz !== undefined) records.push([MODULE.TSC_KHZ, encodeU64(BigInt(module.tscKhz))]);
  if (module.user !== undefined) {
    records.push([MODULE.USER, Buffer.from(Uint32Array.of(module.user.uid, module.user.gid, ...module.user.groups).buffer)]);
  }
  if (module.windowSize !== undefined) {
    records.push([MODULE.WINSIZE, Buffer.from(Uint16Array.of(module.windowSize.rows, module.windowSize.columns).buffer)]);
  }
  if (module.exec !== undefined) records.push([MODULE.EXEC, Buffer.from(module.exec, 'utf8')]);
  if (module.trace !== undefined) records.push([MODULE.TRACE, module.trace]);
  if (module.interfaces !== undefined && module.interfaces.length > 0) records.push([MODULE.NETWORK, encodeInterfaces(module.interfaces)]);
  if (module.files !== undefined && module.files.length > 0) records.push([MODULE.FILES, encodeFiles(module.files)]);
  if (module.upper !== undefined) records.push([MODULE.UPPER, Buffer.from(`${module.upper}\0`, 'utf8')]);
  if (module.mounts !== undefined && module.mounts.length > 0) records.push([MODULE.MOUNTS, encodeMounts(module.mounts)]);
  if (module.disk !== undefined) records.push([MODULE.DISK, encodeU64(BigInt(module.disk))]);
  if (module.power !== undefined) records.push([MODULE.POWER, Buffer.from(Uint16Array.of(module.power.port, module.power.value).buffer)]);
  const rootfs = typeof module.rootfs === 'number' ? undefined : module.rootfs;
  const rootfsSize = typeof module.rootfs === 'number' ? module.rootfs : module.rootfs?.length;
  const rootfsRecord = Buffer.alloc(16);
  if (rootfsSize !== undefined) records.push([MODULE.ROOTFS, rootfsRecord]);

  let size = HEADER_SIZE;
  for (const [, payload] of records) size += 8 + ((payload.length + 7) & ~7);
  const recordsEnd = size;
  if (rootfsSize !== undefined) {
    size = Math.ceil(size / PAGE) * PAGE;
    rootfsRecord.writeBigUInt64LE(BigInt(size), 0);
    rootfsRecord.writeBigUInt64LE(BigInt(rootfsSize), 8);
  }
  const bytes = Buffer.alloc(size + (rootfs?.length ?? 0));
  bytes.writeUInt32LE(MODULE_MAGIC, 0);
  bytes.writeUInt16LE(ABI_VERSION, 4);
  bytes.writeUInt16LE(records.length, 6);
  bytes.writeUInt32LE(recordsEnd, 8);
  bytes.writeUInt32LE(module.flags, 12);
  let at = HEADER_SIZE;
  for (const [type, payload] of records) {
    bytes.writeUInt32LE(type, at);
    bytes.writeUInt32LE(payload.length, at + 4);
    bytes.set(payload, at + 8);
    at += 8 + ((payload.length + 7) & ~7);
  }
  if (rootfs !== undefined) bytes.set(rootfs, size);
  return bytes;
}

/** The records of a module as (type, payload); undefined when it is not one. */
export function decodeBootModule(bytes: Buffer): { flags: number; records: { type: number; payload: Buffer }[] } | undefined {
  if (bytes.length < HEADER_SIZE || bytes.readUInt32LE(0) !== MODULE_MAGIC || bytes.readUInt16LE(4) !== ABI_VERSION) return undefined;
  const count = bytes.readUInt16LE(6);
  const end = bytes.readUInt32LE(8);
  if (end > bytes.length) return undefined;
  const records: { type: number; payload: Buffer }[] = [];
  let at = HEADER_SIZE;
  for (let i = 0; i < count; i++) {
    if (at + 8 > end) return undefined;
    const size = bytes.readUInt32LE(at + 4);
    if (at + 8 + size > end) return undefined;
    records.push({ type: bytes.readUInt32LE(at), payload: bytes.subarray(at + 8, at + 8 + size) });
    at += 8 + ((size + 7) & ~7);
  }
  return { flags: bytes.readUInt32LE(12), records };
}
