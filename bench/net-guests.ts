/**
 * The two guests of the network's table, over QEMU's user network or over a tap: how each is started, asked until it answers, loaded, and what it costs meanwhile.
 * Owns: their command lines, the reading of QEMU's CPU time and memory from /proc. Rules: one card with the same options on the same machine; addresses are those of QEMU's user network,
 * on the tap as well (the host's end has 10.0.2.2), so that both networks find the guests configured alike.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runNatively } from '../test/network/root.ts';
import { type GuestMachine, type InitramfsEntry, type LinuxKernel, linuxArguments, listNetworkModules, makeInitramfs } from './linux-guest.ts';
import { findKhz } from './machine.ts';
import type { LoadResult } from './net-loads.ts';
import type { Server } from './net-servers.ts';

export type Network = 'user' | 'tap';
export const TAP = 'bench0';
const HOST_ADDRESS = '10.0.2.2';
const GUEST_ADDRESS = '10.0.2.15';
const PUBLISHED = 18480;
const START_DEADLINE = 180_000;
const ASK_EVERY = 10;
export const MACHINE: GuestMachine = { machine: 'microvm', accelerator: 'tcg', memory: 256 };
const HULL = join(process.cwd(), 'dist/hull');
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** In this process's own network namespace: the device that both guests use, one after the other. */
export function makeTap(): void {
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'inherit' });
  ip('link', 'set', 'lo', 'up');
  ip('tuntap', 'add', TAP, 'mode', 'tap', 'vnet_hdr');
  ip('addr', 'add', `${HOST_ADDRESS}/24`, 'dev', TAP);
  ip('link', 'set', TAP, 'up');
}

export const addressOn = (network: Network, server: Server): { address: string; port: number } =>
  network === 'user' ? { address: '127.0.0.1', port: PUBLISHED } : { address: GUEST_ADDRESS, port: server.port };

export interface Guest {
  readonly child: ChildProcess;
  findQemu(): number | undefined;
}

/** A program's files for the initramfs: itself, its loader and libraries, what it reads. */
function collectFiles(server: Server, root: string): InitramfsEntry[] {
  const read = (path: string): InitramfsEntry => ({ path, data: readFileSync(join(root, path)), mode: 0o755 });
  if (server.isStatic === true) return [{ path: '/server', data: readFileSync(server.program) }];
  const [loader, before] = runNatively(root, server.program);
  const list = execFileSync(loader, ['--list', ...before], { encoding: 'utf8' });
  const libraries = [...list.matchAll(/=> (\/\S+)/g)].map(([, path]) => (path as string).slice(root.length));
  return [
    read(server.program), read('/lib64/ld-linux-x86-64.so.2'), ...libraries.map((path) => ({ ...read(path), path: `/lib/x86_64-linux-gnu/${path.split('/').at(-1)}` })),
    ...server.files.map((path): InitramfsEntry => (path.endsWith('/') ? { path: path.slice(0, -1) } : read(path))),
  ];
}

/** Debian's kernel, whose init is bench/guest/net-init.c (`init`: its executable). */
export function prepareLinux(server: Server, context: { readonly root: string; readonly dir: string; readonly kernel: LinuxKernel; readonly init: string }): (network: Network) => Guest {
  const { root, dir, kernel, init } = context;
  const modules = listNetworkModules(kernel);
  const initramfs = join(dir, 'initramfs');
  writeFileSync(initramfs, makeInitramfs([{ path: '/init', data: readFileSync(init) }, ...modules, ...collectFiles(server, root)]));
  return (network) => {
    const program = server.isStatic === true ? '/server' : server.program;
    const netdev = network === 'user' ? `user,id=net0,hostfwd=tcp:127.0.0.1:${PUBLISHED}-:${server.port}` : `tap,id=net0,ifname=${TAP},script=no,downscript=no`;
    const extra = ['-global', 'virtio-mmio.force-legacy=false', '-netdev', netdev, '-device', 'virtio-net-device,netdev=net0'];
    const args = linuxArguments({ ...MACHINE, kernel, initramfs, args: [program, ...server.args], append: `tsc_early_khz=${findKhz()}`, extra });
    const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    return { child, findQemu: () => child.pid };
  };
}

function findChild(pid: number): number | undefined {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? undefined : Number(text.split(' ')[0]);
}

/** `options`: more of `hull run`. */
export function startHull(server: Server, network: Network, context: { readonly root: string; readonly dir: string }, options: readonly string[] = []): Guest {
  const files = server.isStatic === true ? [] : ['--rootfs', context.root];
  const link = network === 'user' ? ['-p', `127.0.0.1:${PUBLISHED}:${server.port}`] : ['--network', `tap:${TAP}`, '--ip', GUEST_ADDRESS];
  const program = server.linked ?? server.program;
  const args = ['run', '--machine', MACHINE.machine, '--accel', MACHINE.accelerator, '-m', `${MACHINE.memory}m`, ...link, ...files, ...options, program, ...server.args];
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(context.dir, 'hull') };
  const child = spawn(HULL, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  return { child, findQemu: () => findChild(child.pid as number) };
}

/** One question, one answer. A guest that is not up yet costs a try, not the retries of a host's TCP. */
function ask(question: string, target: { readonly address: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target.port, target.address);
    const end = (answered: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), 300);
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('end', () => end(false));
    socket.write(question);
  });
}

interface Usage {
  readonly whole: number;
  readonly guest: number;
}

const statOf = (path: string) => readFileSync(path, 'utf8').replace(/^.*\) /s, '').split(' ');

/** Seconds of CPU time of QEMU, and of its vCPU: the busiest of the threads that the first one, which is the main loop, made. */
function readUsage(pid: number): Usage {
  const read = (path: string) => {
    const fields = statOf(path);
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  };
  const threads = readdirSync(`/proc/${pid}/task`).filter((tid) => tid !== String(pid)).map((tid) => read(`/proc/${pid}/task/${tid}/stat`));
  return { whole: read(`/proc/${pid}/stat`), guest: Math.max(...threads) };
}

/** ms since that process was made, to a tick. */
function readAge(pid: number): number {
  const [uptime] = readFileSync('/proc/uptime', 'utf8').split(' ');
  return (Number(uptime) - Number(statOf(`/proc/${pid}/stat`)[19]) / TICKS) * 1000;
}

/** MiB of the guest's memory that it has touched: what is resident of QEMU's mapping of that size. */
function readTouched(pid: number): number {
  for (const part of readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[\da-f]+-[\da-f]+ )/m)) {
    if (Number(/^Size:\s+(\d+)/m.exec(part)?.[1]) === MACHINE.memory * 1024) return Number(/^Rss:\s+(\d+)/m.exec(part)?.[1]) / 1024;
  }
  return Number.NaN;
}

/** Bytes of the files that QEMU gets by -kernel and -initrd. */
function readGivenBytes(pid: number): number {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const files = ['-kernel', '-initrd'].map((option) => words[words.indexOf(option) + 1]).filter((file, i) => words.includes(['-kernel', '-initrd'][i] as string) && file !== undefined);
  return files.reduce((sum, file) => sum + statSync(file as string).size, 0);
}

export interface LoadFigures extends LoadResult {
  /** Of QEMU's CPU time, a second. */
  readonly perCpu: number;
  /** µs of the vCPU's thread for one, and of QEMU's others. */
  readonly guest: number;
  readonly host: number;
}

export interface Figures {
  /** ms to the first answer since QEMU's start, and since that of the command. */
  readonly first: number;
  readonly firstOfCommand: number;
  readonly touched: number;
  readonly bytes: number;
  readonly loads: ReadonlyMap<string, LoadFigures>;
}

/** Waits for the server's first answer; QEMU's process. */
export async function waitForAnswer(server: Server, guest: Guest, network: Network): Promise<number> {
  const started = performance.now();
  let isAnswered = false;
  // A question that came too early would wait for the retries of QEMU's TCP: there is a new one every few ms, and the first answer counts.
  while (!isAnswered) {
    void ask(server.ask, addressOn(network, server)).then((answered) => (isAnswered ||= answered));
    await sleep(ASK_EVERY);
    if (performance.now() - started > START_DEADLINE || guest.child.exitCode !== null) throw new Error(`Cannot measure "${server.name}": no answer after ${START_DEADLINE} ms, or it ended`);
  }
  const pid = guest.findQemu();
  if (pid === undefined) throw new Error(`Cannot measure "${server.name}": its QEMU is not there any more`);
  return pid;
}

export async function end({ child }: Guest): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
  await new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve(undefined) : child.once('exit', resolve)));
  clearTimeout(timer);
}

/** Starts the machine, asks until it answers, runs the loads, ends it. */
export async function measure(server: Server, network: Network, root: string, seconds: number, start: () => Guest): Promise<Figures> {
  const started = performance.now();
  const guest = start();
  try {
    const pid = await waitForAnswer(server, guest, network);
    const [first, firstOfCommand] = [readAge(pid), performance.now() - started];
    const loads = new Map<string, LoadFigures>();
    for (const load of server.loads) {
      const before = readUsage(pid);
      const begun = performance.now();
      const result = await load.run({ root, ...addressOn(network, server), seconds });
      const count = (result.rate * (performance.now() - begun)) / 1000;
      const after = readUsage(pid);
      const [whole, own] = [after.whole - before.whole, after.guest - before.guest];
      loads.set(load.name, { ...result, perCpu: count / whole, guest: (own * 1e6) / count, host: ((whole - own) * 1e6) / count });
    }
    return { first, firstOfCommand, touched: readTouched(pid), bytes: readGivenBytes(pid), loads };
  } finally {
    await end(guest);
  }
}
