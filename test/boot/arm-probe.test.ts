/** The probe guest for AArch64: its words are those that an assembler makes of its text, and QEMU runs it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { makeArmProbeImage } from '../../boot/accel/arm-probe-image.ts';
import { LOOP_COUNT } from '../../boot/accel/probe-image.ts';
import { findQemu, probeAccelerator } from '../../boot/index.ts';

const HEADER = 64;
const TEXT = `
  mrs x4, sctlr_el1
  orr x4, x4, #1 << 12 // I: instruction cache
  msr sctlr_el1, x4
  isb
  mov x1, #0x9000000
  mov w2, #'S'
  str w2, [x1]
  movz w3, #${LOOP_COUNT & 0xffff}
  movk w3, #${LOOP_COUNT >>> 16}, lsl #16
1: subs w3, w3, #1
  b.ne 1b
  mov w2, #'R'
  str w2, [x1]
  movz w0, #8
  movk w0, #0x8400, lsl #16
  hvc #0
2: b 2b
`;

t.test('the words are the text\'s', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-probe-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  writeFileSync(at('probe.S'), TEXT);
  execFileSync('clang', ['--target=aarch64-unknown-none-elf', '-c', at('probe.S'), '-o', at('probe.o')]);
  execFileSync('ld.lld', ['-Ttext=0', '-e', '0', '--oformat', 'binary', at('probe.o'), '-o', at('probe')]);
  t.equal(makeArmProbeImage().subarray(HEADER).toString('hex'), readFileSync(at('probe')).toString('hex'));
  t.end();
});

const reason = spawnSync('qemu-system-aarch64', ['--version']).status !== 0 && 'no qemu-system-aarch64 here (Debian: qemu-system-arm)';

t.test('QEMU runs it', { skip: reason }, async (t) => {
  const qemu = findQemu(undefined, process.env, 'aarch64');
  t.match(await probeAccelerator({ qemu, env: process.env, dist: resolve('dist') }, 'tcg', 'aarch64'), { isUsable: true, reason: '' });
});
