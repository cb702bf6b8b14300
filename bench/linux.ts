/**
 * The table of the Linux ABI's costs: the same static file (bench/guest/calls.c, musl) in hull and in Debian's cloud kernel, and the same source linked
 * by `hull cc`, under one set of QEMU flags. Run by `node tools/run.mjs bench/linux.ts [OPERATION...]`; HULL_BENCH_RUNS machines of each (default 5),
 * one after the other in turns, so that a noisy moment meets all three; medians over machines of medians in them.
 * What differs: Linux needs microvm's PIT and PIC for its clock, has no ACPI (with it newer kernels wait for ever for
 * the PIT), and writes to the serial line; hull runs without them and has a virtio console.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLinuxKernel, type GuestMachine, linuxArguments, makeInitramfs, runGuest } from './linux-guest.ts';
import { describeMachine, median, renderTable } from './machine.ts';

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '5'));
const MACHINE: GuestMachine = { machine: 'microvm', accelerator: 'tcg', memory: 256 };
const HULL = join(process.cwd(), 'dist/hull');
const ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
const DEADLINE = 600_000;
/** musl's wrapper hides the system's headers, among them linux/futex.h. */
const KERNEL_HEADERS = ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'];

type Figures = Map<string, number>;

function readFigures(output: string, what: string): Figures {
  if (!/^done$/m.test(output)) throw new Error(`Cannot measure ${what}: it ended before its end: ${output.slice(-500)}`);
  return new Map([...output.matchAll(/^([a-z0-9_-]+) (\d+)$/gm)].map(([, name, value]) => [name as string, Number(value)]));
}

async function main(): Promise<void> {
  const names = process.argv.slice(2);
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-linux-'));
  try {
    const env = { ...ENV, HULL_ROOT: join(dir, 'root') };
    const program = join(dir, 'calls');
    const linked = join(dir, 'calls-linked');
    execFileSync('musl-gcc', ['-static', '-O2', ...KERNEL_HEADERS, 'bench/guest/calls.c', '-o', program], { env, stdio: 'inherit' });
    execFileSync(HULL, ['cc', '-O2', '-DNO_PROCESSES', ...KERNEL_HEADERS, 'bench/guest/calls.c', '-o', linked], { env, stdio: 'inherit' });
    const kernel = findLinuxKernel();
    const initramfs = join(dir, 'initramfs');
    writeFileSync(initramfs, makeInitramfs([{ path: '/init', data: readFileSync(program) }]));

    const runHull = (image: string, what: string): Figures => {
      const args = ['run', '--machine', MACHINE.machine, '--accel', MACHINE.accelerator, '-m', `${MACHINE.memory}m`, image, ...names];
      const { stdout, stderr, status } = spawnSync(HULL, args, { env, encoding: 'utf8', timeout: DEADLINE });
      if (status !== 0) throw new Error(`Cannot measure ${what}: status ${status}, ${stderr}`);
      return readFigures(stdout, what);
    };
    const runLinux = async (): Promise<Figures> => {
      const { output } = await runGuest(linuxArguments({ ...MACHINE, machine: `${MACHINE.machine},acpi=off`, kernel, initramfs, args: names }), { until: /^done\r?$/m, deadline: DEADLINE });
      return readFigures(output, `Linux ${kernel.version}`);
    };
    const runs: { linux: Figures; binary: Figures; linked: Figures }[] = [];
    for (let run = 0; run < RUNS; run++) {
      runs.push({ linux: await runLinux(), binary: runHull(program, 'hull, binary'), linked: runHull(linked, 'hull, linked') });
    }
    const rows = [['operation', 'Linux ns', 'hull ns', 'Linux/hull', 'linked ns', 'Linux/linked']];
    for (const name of runs[0]?.linux.keys() ?? []) {
      const pick = (of: 'linux' | 'binary' | 'linked') => median(runs.map((run) => run[of].get(name) ?? Number.NaN));
      const [linux, binary, own] = [pick('linux'), pick('binary'), pick('linked')];
      const hasOwn = !Number.isNaN(own);
      rows.push([name, linux.toFixed(0), binary.toFixed(0), (linux / binary).toFixed(2), hasOwn ? own.toFixed(0) : '-', hasOwn ? (linux / own).toFixed(2) : '-']);
    }
    process.stdout.write(`One operation in ns; medians of ${RUNS} machines of each kind in turns, ${MACHINE.machine}, ${MACHINE.memory} MiB; Linux ${kernel.version}\n`);
    process.stdout.write(`${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
