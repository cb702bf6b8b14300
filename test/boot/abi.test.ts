/** The boot ABI's codec: the same numbers as libos/abi/boot_abi.h, round trips, and decoding that survives any bytes. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as abi from '../../boot/abi/index.ts';
import { makeProbeImage, readProbeAnswer } from '../../boot/accel/index.ts';
import { findCheckout } from './guest/build.ts';

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Seen {
  records: { type: number; payload: Buffer; time: bigint }[];
  raw: Buffer;
}

/** Decodes `bytes` cut into pieces; pieces of one output record are joined as long as they follow each other. */
function decode(bytes: Buffer, cut: (left: number) => number): Seen {
  const seen: Seen = { records: [], raw: Buffer.alloc(0) };
  const decoder = abi.createRecordDecoder({
    record: (type, payload, time) => seen.records.push({ type, payload: Buffer.from(payload), time }),
    raw: (piece) => {
      seen.raw = Buffer.concat([seen.raw, piece]);
    },
  });
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, cut(bytes.length - at));
    decoder.push(bytes.subarray(at, at + size));
    at += size;
  }
  decoder.end();
  return seen;
}

t.test('every number of the header is the codec’s', async (t) => {
  const header = readFileSync(join(findCheckout(), 'libos/abi/boot_abi.h'), 'latin1');
  const codec = new Map<string, number>([
    ['HULL_ABI_VERSION', abi.ABI_VERSION],
    ['HULL_NOTE_IMAGE', abi.NOTE_IMAGE],
    ['HULL_MODULE_MAGIC', abi.MODULE_MAGIC],
    ['HULL_RECORD_MAGIC', abi.RECORD_MAGIC],
    ['HULL_RECORD_MAX', abi.RECORD_MAX],
    ['HULL_DEFERRED_ARGUMENTS', abi.DEFERRED_ARGUMENTS],
    ['HULL_FAULT_STACK', abi.FAULT_STACK],
  ]);
  for (const [prefix, values] of Object.entries({ FEATURE: abi.FEATURE, FLAG: abi.FLAG, MODULE: abi.MODULE, RECORD: abi.RECORD, TRACE: abi.TRACE, NETWORK: abi.NETWORK, MOUNT: abi.MOUNT, CALL: abi.CALL })) {
    for (const [name, value] of Object.entries(values)) codec.set(`HULL_${prefix}_${name}`, value);
  }
  const defined = new Map<string, number>();
  for (const [, name, text] of header.matchAll(/^#define (HULL_\w+) +(\(?[0-9a-fx].*?)\s*(?:\/\*.*)?$/gm)) {
    const shift = /^\((\d+)u << (\d+)\)$/.exec(text as string);
    defined.set(name as string, shift ? Number(shift[1]) << Number(shift[2]) : Number((text as string).replace(/u$/, '')));
  }
  t.ok(defined.size >= 30, 'the header was understood');
  t.strictSame(Object.fromEntries([...codec].sort()), Object.fromEntries([...defined].sort()));
});

t.test('what it says about the network is laid out as the header has it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-abi-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // The C compiler's word for each offset.
  const fields = Object.keys(abi.INTERFACE).filter((name) => name !== 'SIZE');
  const prints = fields.map((name) => `printf("${name} %zu\\n", offsetof(struct hull_network_interface, ${name.toLowerCase()}));`).join('\n');
  const source = `#include <stddef.h>\n#include <stdio.h>\n#include "libos/abi/boot_abi.h"\nint main(void) {\n${prints}\nprintf("SIZE %zu\\n", sizeof(struct hull_network_interface));\nprintf("MOUNT %zu\\n", sizeof(struct hull_mount));\n}\n`;
  writeFileSync(join(folder, 'offsets.c'), source);
  execFileSync('clang', ['-I', findCheckout(), '-o', join(folder, 'offsets'), join(folder, 'offsets.c')]);
  const offsets = execFileSync(join(folder, 'offsets'), { encoding: 'utf8' }).trim().split('\n').map((line) => line.split(' '));
  t.strictSame(Object.fromEntries(offsets.map(([name, value]) => [name, Number(value)])), { ...abi.INTERFACE, MOUNT: abi.MOUNT_SIZE });
  const mounts = abi.encodeMounts([
    { kind: '9p', tag: 'hull0', target: '/a', readOnly: true, owner: { uid: 5, gid: 6 } },
    { kind: 'tmpfs', target: '/b', readOnly: false, options: 'size=1m' },
  ]);
  t.equal(mounts.toString('latin1'), '\x01\0\0\0\x03\0\0\0\x05\0\0\0\x06\0\0\0hull0\0/a\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0size=1m\0/b\0\0\0\0\0\0');

  const bytes = abi.encodeInterfaces([
    {
      mac: '52:54:00:12:34:5f',
      mtu: 1400,
      ipv4: { address: '10.0.2.15', prefix: 24, gateway: '10.0.2.2' },
      ipv6: { address: 'fec0::5054:ff:fe12:345f', prefix: 64, gateway: 'fe80::2' },
      autoconf: true,
    },
    { mac: '02:00:00:00:00:01', dhcp: true },
  ]);
  t.equal(
    bytes.toString('hex'),
    ['52540012345f', '7805', '02000000', '18400000', '0a00020f', '0a000202', 'fec0000000000000505400fffe12345f', 'fe800000000000000000000000000002',
      '020000000001', '0000', '01000000', '00000000', '00'.repeat(40)].join(''),
  );
  for (const [text, hex] of Object.entries({
    '::': '00'.repeat(16), '::1': `${'00'.repeat(15)}01`, '1::': `0001${'00'.repeat(14)}`, '::ffff:1.2.3.4': `${'00'.repeat(10)}ffff01020304`,
    '1:2:3:4:5:6:7:8': '00010002000300040005000600070008', '64:ff9b::1.2.3.4': `0064ff9b${'00'.repeat(8)}01020304`,
  })) t.equal(abi.parseIpv6(text).toString('hex'), hex, text);
  for (const wrong of ['', '1', '::1%lo', 'fe80::1%1', '1::2::3', ':::', '12345::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::1.2.3.256', '::1\0', ' ::1', '10.0.2.15']) t.throws(() => abi.parseIpv6(wrong), { code: 'address-invalid' });
  for (const wrong of ['', '10.0.2', '10.0.2.256', '::1']) t.throws(() => abi.parseIpv4(wrong), { code: 'address-invalid' });
  for (const wrong of ['', '52:54:00:12:34', '52:54:00:12:34:5g']) t.throws(() => abi.parseMac(wrong), { code: 'address-invalid' });
  t.throws(() => abi.encodeInterfaces([{ mac: '02:00:00:00:00:01', ipv4: { address: '10.0.0.1', prefix: 33 } }]), { code: 'address-invalid' });
  t.equal(abi.encodeFiles([{ path: '/a', content: 'bc', mode: 0o600 }, { path: '/d', content: '' }]).toString('hex'), '80010000020000002f61006263a4010000000000002f6400');
  t.throws(() => abi.encodeFiles([{ path: 'a', content: '' }]), { code: 'address-invalid' });
});

t.test('records survive any cutting', async (t) => {
  const random = createRandom(1);
  const types = [abi.RECORD.STDOUT, abi.RECORD.STDERR, abi.RECORD.LOG, abi.RECORD.PANIC];
  for (let round = 0; round < 300; round++) {
    const parts: Buffer[] = [];
    const output: Record<number, Buffer> = {};
    let control = 0;
    for (let i = random(20); i >= 0; i--) {
      const type = types[random(types.length)] as number;
      const payload = Buffer.from(Array.from({ length: random(3) === 0 ? random(3000) : random(20) }, () => random(256)));
      parts.push(abi.encodeRecord(type, payload, BigInt(i)));
      output[type] = Buffer.concat([output[type] ?? Buffer.alloc(0), payload]);
      if (random(4) === 0) {
        parts.push(abi.encodeSignal(15));
        control++;
      }
    }
    const seen = decode(Buffer.concat(parts), (left) => 1 + random(Math.min(left, round % 2 === 0 ? 7 : 2000)));
    const got: Record<number, Buffer> = {};
    for (const { type, payload } of seen.records) {
      if (type !== abi.RECORD.SIGNAL) got[type] = Buffer.concat([got[type] ?? Buffer.alloc(0), payload]);
    }
    t.strictSame(got, output, `round ${round}`);
    t.equal(seen.records.filter(({ type }) => type === abi.RECORD.SIGNAL).length, control);
    t.equal(seen.raw.length, 0);
  }
});

t.test('text between records comes out as it is, and records after it are found', async (t) => {
  const random = createRandom(2);
  for (let round = 0; round < 300; round++) {
    const text = Array.from({ length: random(60) }, () => ['a', '\n', 'µ', '\u00b5\u0001', ' ', '[<1>]'][random(6)]).join('');
    const bytes = Buffer.concat([Buffer.from(text), abi.encodeRecord(abi.RECORD.STDOUT, Buffer.from('found')), Buffer.from(text)]);
    const seen = decode(bytes, (left) => 1 + random(left));
    t.equal(seen.raw.toString(), text + text);
    t.equal(Buffer.concat(seen.records.map(({ payload }) => payload)).toString(), 'found');
  }
});

t.test('no bytes make the decoder throw, lose or invent any', async (t) => {
  const random = createRandom(3);
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(Array.from({ length: random(200) }, () => [abi.RECORD_MAGIC, 0, 1, 4, random(256)][random(5)] as number));
    const seen = decode(bytes, () => 1 + random(64));
    const total = seen.raw.length + seen.records.reduce((sum, { payload }) => sum + payload.length, 0);
    if (total > bytes.length) t.fail(`round ${round}: ${total} bytes out of ${bytes.length}`);
    if (seen.records.length === 0 && !seen.raw.equals(bytes)) t.fail(`round ${round}: raw text changed`);
  }
  t.pass('3000 rounds');
});

t.test('large payloads are split, wait statuses read', async (t) => {
  const payload = Buffer.alloc(abi.RECORD_MAX * 2 + 5, 'x');
  const seen = decode(abi.encodeRecord(abi.RECORD.STDOUT, payload), (left) => left);
  t.strictSame(
    seen.records.map((record) => record.payload.length),
    [abi.RECORD_MAX, abi.RECORD_MAX, 5],
  );
  t.strictSame(abi.decodeWaitStatus(7 << 8), { code: 7 });
  t.strictSame(abi.decodeWaitStatus(255 << 8), { code: 255 });
  t.strictSame(abi.decodeWaitStatus(11), { signal: 11 });
  t.strictSame(abi.decodeWaitStatus(6 | 0x80), { signal: 6 }, 'the core-dump bit is not part of the signal');
});

t.test('the boot module round-trips; damaged ones are refused', async (t) => {
  const bytes = abi.encodeBootModule({
    flags: abi.FLAG.FRAMED | abi.FLAG.STDIN,
    argv: ['prog', 'ä', ''],
    env: ['A=1'],
    cwd: '/tmp',
    hostname: 'h',
    entropy: Buffer.alloc(32, 7),
    realtime: 1_700_000_000_123_456_789n,
    tscKhz: 2_600_000,
    user: { uid: 1, gid: 2, groups: [3, 4] },
    windowSize: { rows: 24, columns: 80 },
    rootfs: Buffer.from('erofs'),
    exec: '/bin/prog',
  });
  const module = abi.decodeBootModule(bytes);
  const find = (type: number) => module?.records.find((record) => record.type === type)?.payload;
  t.equal(module?.flags, abi.FLAG.FRAMED | abi.FLAG.STDIN);
  t.equal(find(abi.MODULE.ARGV)?.toString(), 'prog\0ä\0\0');
  t.equal(find(abi.MODULE.REALTIME)?.readBigUInt64LE(), 1_700_000_000_123_456_789n);
  t.strictSame([...(find(abi.MODULE.USER) ?? [])], [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
  const rootfs = find(abi.MODULE.ROOTFS) as Buffer;
  const at = Number(rootfs.readBigUInt64LE(0));
  t.equal(at % 4096, 0, 'the root file system begins a page');
  t.equal(bytes.toString('latin1', at, at + Number(rootfs.readBigUInt64LE(8))), 'erofs');
  const random = createRandom(4);
  for (let round = 0; round < 2000; round++) {
    const damaged = Buffer.from(bytes.subarray(0, random(400)));
    if (damaged.length > 0) damaged[random(damaged.length)] = random(256);
    abi.decodeBootModule(damaged);
  }
});

t.test('a fault record becomes a report whose callers are what follows calls in text', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-fault-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const calls = ['e800000000', 'ffd0', '41ffd3', 'ff17', 'ff5308', 'ff1424', 'ff542408', 'ff1500000000', 'ff9300010000', 'ff942400010000', 'ff142500000000'];
  const others = ['9090909090', 'ffe0', 'ff5304ff', 'ff15000000', 'e9000000009090', 'ff2500000000', 'ff930001000000', 'c3'];
  for (const code of calls) t.ok(abi.endsWithCall(Buffer.from(code, 'hex')), code);
  for (const code of others) t.notOk(abi.endsWithCall(Buffer.from(code, 'hex')), code);

  // One executable segment at 0x1000, whose bytes are the file's from 120 on: each call after ten bytes of nop.
  const code = Buffer.concat(calls.flatMap((one) => [Buffer.alloc(10, 0x90), Buffer.from(one, 'hex')]));
  const head = Buffer.alloc(120);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64);
  head.writeUInt32LE(5, 68);
  for (const [at, value] of [[72, 120], [80, 0x1000], [96, code.length], [104, code.length]] as const) head.writeBigUInt64LE(BigInt(value), at);
  writeFileSync(join(folder, 'image'), Buffer.concat([head, code]));
  const slide = 0x7000_0000n;
  const record = Buffer.alloc((25 + abi.FAULT_STACK) * 8);
  const put = (word: number, value: bigint) => record.writeBigUInt64LE(value, word * 8);
  put(0, slide);
  put(2, 11n);
  put(18, 14n);
  put(19, 16n);
  const from = calls.map((_, i) => slide + 0x1000n + BigInt(calls.slice(0, i + 1).reduce((sum, one) => sum + 10 + one.length / 2, 0)));
  const noise = [slide + 0x1000n, slide + 0x1008n, slide + 0x900n, 0n, 2n ** 64n - 1n, from[0] as bigint - slide, slide + 0x1000n + BigInt(code.length) + 1n];
  for (const [i, value] of [...from, ...noise, ...from, ...noise].entries()) put(25 + i * 2, value);
  const text = abi.formatDeferred(abi.RECORD.FAULT, record, abi.openImageMemory(join(folder, 'image')));
  t.equal(text?.isPanic, false);
  t.equal(text?.lines[0], 'Segmentation fault: execute at 0x0');
  t.strictSame(
    text?.lines.filter((line) => line.includes('from')),
    [...from, ...from].slice(0, 16).map((value) => `  from [<${(value - slide).toString(16)}>]`),
  );
  t.strictSame(decode(abi.encodeRecord(abi.RECORD.FAULT, record), (left) => left).records.map(({ payload }) => payload), [record]);
  const longest = Buffer.alloc((39 + abi.FAULT_STACK) * 8);
  t.strictSame(decode(abi.encodeRecord(abi.RECORD.FAULT, longest), (left) => left).records.map(({ payload }) => payload), [longest], 'that of AArch64, with a whole stack');
  const cut = abi.formatDeferred(abi.RECORD.FAULT, record.subarray(0, 25 * 8), abi.openImageMemory(join(folder, 'missing')));
  t.equal(cut?.lines.length, 7, 'without a stack or an image: the registers');
});

t.test('the note is found in an image, and nothing in other files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-note-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const read = (bytes: Buffer) => {
    writeFileSync(join(folder, 'file'), bytes);
    const fd = openSync(join(folder, 'file'), 'r');
    try {
      return abi.readImageNote(fd);
    } finally {
      closeSync(fd);
    }
  };
  const desc = Buffer.alloc(16);
  desc.writeUInt32LE(abi.ABI_VERSION, 0);
  desc.writeUInt32LE(abi.FEATURE.UART, 4);
  desc.writeBigUInt64LE(2n << 20n, 8);
  const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
  const notes = Buffer.concat([words(4, 4, 18), Buffer.from('Xen\0'), words(0x100000), words(5, 16, abi.NOTE_IMAGE), Buffer.from('hull\0\0\0\0'), desc]);
  const image = Buffer.concat([makeProbeImage(), notes]); // the probe's second program header is its note
  image.writeBigUInt64LE(BigInt(image.length - notes.length), 128);
  image.writeBigUInt64LE(BigInt(notes.length), 152);
  t.strictSame(read(image), { version: 1, features: abi.FEATURE.UART, leastMemory: 2 << 20 });
  t.equal(read(makeProbeImage()), undefined, 'an image of somebody else');
  t.equal(read(Buffer.alloc(0)), undefined);
  t.equal(read(Buffer.from('#!/bin/sh\n')), undefined);
  const random = createRandom(5);
  for (let round = 0; round < 1500; round++) {
    const damaged = Buffer.from(image.subarray(0, random(3) === 0 ? random(image.length) : image.length));
    for (let i = random(8); i >= 0 && damaged.length > 0; i--) damaged[random(Math.min(damaged.length, 200))] = random(256);
    read(damaged);
  }
});

t.test('the probe’s answer is believed only when its two measurements agree', async (t) => {
  const answer = (first: number, second: number) => Buffer.concat([Buffer.from('SR'), Buffer.from(Uint32Array.of(first, 12_000_000, second, 12_000_000).buffer)]);
  t.equal(readProbeAnswer(answer(31_200_000, 31_200_100)), 2_600_004);
  t.equal(readProbeAnswer(answer(31_200_000, 31_300_000)), undefined);
  t.equal(readProbeAnswer(Buffer.from('SR')), undefined);
  t.equal(readProbeAnswer(answer(0, 0)), undefined);
});
