/**
 * The table of the network's costs: the same unmodified servers in hull and in Debian's cloud kernel under one set of QEMU flags, over QEMU's user network and over a tap, asked by wrk,
 * redis-benchmark and iperf3 on this host. Run by `node tools/run.mjs bench/net.ts [--network=user|tap] [--no-profile] [--no-linux] [--minutes=N] [SERVER...]` (SERVER: the beginning of a name), some eight minutes for all of it.
 * HULL_BENCH_RUNS machines of each kind in turns (default 2), medians; HULL_BENCH_SECONDS a load (default 3). After N minutes (default 30) what is left is not begun, and the table of the rest is
 * printed, with what failed or is missing. As root it works in a network namespace of its own; without, there is no tap.
 * Then what misses a goal, what it is busy with, and which functions take its instructions (net-profile.ts).
 * What differs: Linux needs microvm's PIT and PIC for its clock, and its ACPI tables to find the card (Debian's kernel does not read
 * virtio_mmio.device=); it is told the TSC's frequency, since it cannot calibrate it there; it has a serial line, and its files in an initramfs where hull has them on a disk.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeNetworkRoot } from '../test/network/root.ts';
import { findLinuxKernel } from './linux-guest.ts';
import { describeMachine, median, renderTable } from './machine.ts';
import { type Figures, type LoadFigures, MACHINE, makeTap, measure, type Network, prepareLinux, startHull } from './net-guests.ts';
import { describeProfile, profile } from './net-profile.ts';
import { listServers, type Server, writeConfigurations } from './net-servers.ts';

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '2'));
const SECONDS = Math.max(1, Number(process.env['HULL_BENCH_SECONDS'] ?? '3'));
const FIRST_ANSWER_GOAL = 150;
const OWN_NAMESPACE = 'HULL_BENCH_NAMESPACE';
const LOAD_HEAD = [
  'server', 'load', 'Linux /s', 'hull /s', 'ratio', 'per CPU s', 'hull', 'ratio', 'guest µs', 'hull', 'QEMU µs', 'hull', 'p50 ms', 'hull', 'p99 ms', 'hull',
];
const GUEST_HEAD = ['server', 'first answer ms', 'hull', 'of the command', 'hull', 'memory MiB', 'hull', 'bytes', 'hull'];

interface Measured {
  readonly server: Server;
  readonly network: Network;
  readonly linux: readonly Figures[];
  readonly hull: readonly Figures[];
}

const middle = (values: readonly number[]) => (values.length === 0 ? Number.NaN : median(values));
const pick = (figures: readonly Figures[], name: string, of: keyof LoadFigures) => middle(figures.map(({ loads }) => loads.get(name)?.[of] ?? Number.NaN));
const show = (value: number, digits = 0) => (Number.isNaN(value) ? '-' : value.toFixed(digits));

function loadRows({ server, linux, hull }: Measured): string[][] {
  return server.loads.map(({ name, unit }) => {
    const both = (of: keyof LoadFigures, digits = 0) => [linux, hull].map((figures) => show(pick(figures, name, of), digits));
    const ratio = (of: 'rate' | 'perCpu') => show(pick(hull, name, of) / pick(linux, name, of), 2);
    return [
      server.name, unit === 'request' ? name : `${name}, ${unit}`, ...both('rate'), ratio('rate'), ...both('perCpu'), ratio('perCpu'),
      ...both('guest'), ...both('host'), ...both('p50', 2), ...both('p99', 2),
    ];
  });
}

function guestRow({ server, linux, hull }: Measured): string[] {
  const both = (of: 'first' | 'firstOfCommand' | 'touched' | 'bytes', digits = 0) => [linux, hull].map((figures) => show(middle(figures.map((each) => each[of])), digits));
  return [server.name, ...both('first'), ...both('firstOfCommand'), ...both('touched', 1), ...both('bytes')];
}

/** Lines about the goals that were missed; what the machine was busy with, in hundredths of one of the host's CPUs. */
function listMisses({ server, network, linux, hull }: Measured): string[] {
  const at = `${server.name}, ${network === 'user' ? 'user network' : 'tap'}`;
  const lines: string[] = [];
  const busy = (name: string) => {
    const [rate, guest, host] = (['rate', 'guest', 'host'] as const).map((of) => pick(hull, name, of)) as [number, number, number];
    return `its vCPU was busy for ${show((rate * guest) / 1e4)} % of the time, the rest of QEMU for ${show((rate * host) / 1e4)} %`;
  };
  for (const { name } of server.loads) {
    if (server.goal !== undefined && linux.length > 0 && !name.includes('pipeline 16')) {
      const ratio = pick(hull, name, 'rate') / pick(linux, name, 'rate');
      if (!(ratio >= server.goal)) lines.push(`${at}, ${name}: ${show(ratio, 2)} times Linux's requests a second, goal ${server.goal}; ${busy(name)}`);
    }
    const guest = pick(hull, name, 'guest');
    if (server.guestGoal !== undefined && !(guest <= server.guestGoal)) lines.push(`${at}, ${name}: ${show(guest)} µs of its vCPU for a request, goal ${server.guestGoal}`);
  }
  const first = median(hull.map((each) => each.first));
  if (!(first <= FIRST_ANSWER_GOAL)) lines.push(`${at}: first answer ${show(first)} ms after QEMU's start, goal ${FIRST_ANSWER_GOAL}`);
  return lines;
}

interface Options {
  readonly networks: readonly Network[];
  readonly isProfiled: boolean;
  readonly hasLinux: boolean;
  readonly names: readonly string[];
  /** When nothing further is begun, as performance.now() has it. */
  readonly deadline: number;
}

function readOptions(args: readonly string[]): Options {
  const options = args.filter((arg) => arg.startsWith('--'));
  const minutes = Number(/^--minutes=(\d+)$/.exec(options.find((option) => option.startsWith('--minutes=')) ?? '--minutes=30')?.[1] ?? Number.NaN);
  const unknown = options.find((option) => !['--network=user', '--network=tap', '--no-profile', '--no-linux'].includes(option) && (!option.startsWith('--minutes=') || Number.isNaN(minutes)));
  if (unknown !== undefined) throw new Error(`Cannot use "${unknown}": no option of this table, expected --network=user, --network=tap, --no-profile, --no-linux or --minutes=N`);
  const networks = (['user', 'tap'] as const).filter((network) => !options.some((option) => option.startsWith('--network=') && option !== `--network=${network}`));
  return { networks, isProfiled: !options.includes('--no-profile'), hasLinux: !options.includes('--no-linux'), names: args.filter((arg) => !arg.startsWith('--')), deadline: performance.now() + minutes * 60_000 };
}

async function measureAll({ networks, isProfiled, hasLinux, names, deadline }: Options, root: string, dir: string): Promise<void> {
  const at = (name: string) => join(dir, name);
  const compile = (source: string) => {
    execFileSync('musl-gcc', ['-static', '-O2', '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu', `bench/guest/${source}.c`, '-o', at(source)], { stdio: 'inherit' });
    return at(source);
  };
  writeConfigurations(root);
  const [epoll, init] = [compile('epoll-server'), compile('net-init')];
  execFileSync(resolve('dist/hull'), ['cc', '-O2', 'bench/guest/epoll-server.c', '-o', at('linked')], { stdio: 'inherit' });
  const all = listServers({ epoll, linked: at('linked') });
  const servers = all.filter(({ name }) => names.length === 0 || names.some((each) => name.startsWith(each)));
  if (servers.length === 0) throw new Error(`Cannot measure "${names.join(' ')}": no such server, expected the beginning of one of ${all.map(({ name }) => name).join(', ')}`);
  const kernel = findLinuxKernel();
  const measured: Measured[] = [];
  const misses: string[] = [];
  const isLate = (what: string): boolean => {
    const late = performance.now() > deadline;
    if (late) misses.push(`${what}: not measured, no time was left`);
    return late;
  };
  /** What fails is said, and the rest goes on. */
  const attempt = async (what: string, into: Figures[], work: () => Promise<Figures>): Promise<void> => {
    try {
      into.push(await work());
    } catch (error) {
      misses.push(`${what}: ${(error as Error).message}`);
    }
  };
  for (const server of servers) {
    if (isLate(server.name)) continue;
    const startLinux = prepareLinux(server, { root, dir, kernel, init });
    await measure({ ...server, loads: [] }, 'user', root, SECONDS, () => startHull(server, 'user', { root, dir })); // links, makes the root's image
    for (const network of networks) {
      const at = `${server.name}, ${network}`;
      if (isLate(at)) continue;
      const linux = [...(server.linked === undefined ? [] : (measured.find((each) => each.server.program === server.program && each.network === network)?.linux ?? []))];
      const isWanted = hasLinux && linux.length === 0;
      const hull: Figures[] = [];
      for (let run = 0; run < RUNS; run++) {
        if (run > 0 && isLate(`${at}, machine ${run + 1}`)) break;
        if (isWanted) await attempt(`${at}, Linux`, linux, () => measure(server, network, root, SECONDS, () => startLinux(network)));
        await attempt(`${at}, hull`, hull, () => measure(server, network, root, SECONDS, () => startHull(server, network, { root, dir })));
      }
      if (hull.length === 0) continue;
      const one = { server, network, linux, hull };
      measured.push(one);
      for (const row of loadRows(one)) process.stderr.write(`${network}: ${row.join(' | ')}\n`);
    }
    const missed = measured.filter((each) => each.server === server).flatMap(listMisses);
    misses.push(...missed);
    if (isProfiled && missed.length > 0 && !isLate(`${server.name}, its profile`)) {
      misses.push(describeProfile(`  ${server.name}, ${server.loads[0]?.name}`, 'each', await profile(server, { root, dir }, SECONDS)).trimEnd());
      if (missed.some((line) => line.includes('first answer'))) misses.push(describeProfile(`  ${server.name}, start`, 'the way to the first answer', await profile(server, { root, dir })).trimEnd());
    }
  }
  process.stdout.write(`Medians of ${RUNS} machines of each kind in turns, ${SECONDS} s a load, ${MACHINE.machine}, ${MACHINE.memory} MiB; Linux ${kernel.version}\n${describeMachine(MACHINE.accelerator)}\n`);
  process.stdout.write('Of two columns the first is Linux\'s. guest: CPU time of the vCPU\'s thread for one; QEMU: of its others. memory: what the guest touched. bytes: given to the VMM, without hull\'s disk.\n');
  for (const network of networks) {
    const some = measured.filter((each) => each.network === network);
    process.stdout.write(`\n${network === 'user' ? 'QEMU\'s user network' : 'A tap'}\n\n${renderTable([LOAD_HEAD, ...some.flatMap(loadRows)])}\n${renderTable([GUEST_HEAD, ...some.map(guestRow)])}`);
  }
  process.stdout.write(`\n${misses.length === 0 ? 'Every goal is reached.' : `Goals that are missed, and by what:\n${misses.join('\n')}`}\n`);
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  const isRoot = process.getuid?.() === 0;
  const made = makeNetworkRoot();
  if ('reason' in made) throw new Error(`Cannot measure: ${made.reason}`);
  findLinuxKernel(); // both are fetched where there still is a way out
  if (isRoot && process.env[OWN_NAMESPACE] === undefined) {
    const { status } = spawnSync('unshare', ['--net', process.execPath, 'tools/run.mjs', 'bench/net.ts', ...args], { stdio: 'inherit', env: { ...process.env, [OWN_NAMESPACE]: '1' } });
    process.exitCode = status ?? 1;
    return;
  }
  if (isRoot) makeTap();
  else if (options.networks.includes('tap')) process.stderr.write('No tap: that takes root\n');
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-net-'));
  try {
    await measureAll({ ...options, networks: options.networks.filter((network) => isRoot || network !== 'tap') }, made.root, dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
