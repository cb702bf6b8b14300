/**
 * The table of the network's costs: the same unmodified servers in hull and in Debian's cloud kernel under one set of QEMU flags, over QEMU's user network, asked by wrk and
 * redis-benchmark on this host. Run by `node tools/run.mjs bench/net.ts [SERVER...]`; HULL_BENCH_RUNS machines of each in turns (default 3), medians.
 * Columns: requests a second; requests a second of QEMU's CPU time (guest, device and user network together); µs of the vCPU thread's CPU time for one request (the guest's own cost);
 * ms from QEMU's start to the first answer. What differs: Linux needs microvm's PIT and PIC for its clock, and its ACPI tables to find the card (Debian's kernel does not read
 * virtio_mmio.device=); it is told the TSC's frequency, since it cannot calibrate it there; it has a serial line, and its files in an initramfs where hull has them on a disk.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeNetworkRoot, runNatively } from '../test/network/root.ts';
import { findLinuxKernel, type GuestMachine, type InitramfsEntry, linuxArguments, makeInitramfs } from './linux-guest.ts';
import { describeMachine, findKhz, median, renderTable } from './machine.ts';

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '3'));
const SECONDS = Math.max(1, Number(process.env['HULL_BENCH_SECONDS'] ?? '5'));
const MACHINE: GuestMachine = { machine: 'microvm', accelerator: 'tcg', memory: 256 };
const PORT = 18480;
const HULL = join(process.cwd(), 'dist/hull');
const START_DEADLINE = 30_000;
const MODULES = ['failover', 'net_failover', 'virtio_ring', 'virtio', 'virtio_mmio', 'virtio_net'];
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Server {
  readonly name: string;
  /** Path in the root file system, or of a static file on this host. */
  readonly program: string;
  readonly isStatic?: boolean;
  readonly args: readonly string[];
  /** Files that it reads besides its libraries. */
  readonly files: readonly string[];
  readonly port: number;
  readonly ask: string;
  /** Each load: its name, and how many requests a second it saw. */
  readonly loads: readonly { readonly name: string; run(root: string): Promise<number> }[];
}

const wrk = (connections: number) => async (root: string) => {
  const text = await callTool(root, 'usr/bin/wrk', ['-t1', `-c${connections}`, `-d${SECONDS}s`, `http://127.0.0.1:${PORT}/`]);
  const errors = /Socket errors: (.*)/.exec(text)?.[1];
  if (errors !== undefined) process.stderr.write(`wrk, ${connections} connections: ${errors}\n`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
};
const redis = (test: string, pipeline: number) => async (root: string) => {
  const args = ['-p', String(PORT), '-c', '4', '-n', String(2000 * SECONDS * pipeline), '-P', String(pipeline), '-t', test, '--csv'];
  const text = await callTool(root, 'usr/bin/redis-benchmark', args);
  return Number(new RegExp(`^"${test}","([\\d.]+)"`, 'im').exec(text)?.[1] ?? Number.NaN);
};

const HTTP = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
const NGINX = 'daemon off; user root; worker_processes 1; error_log stderr crit; pid /tmp/nginx.pid; events { worker_connections 512; } '
  + 'http { access_log off; keepalive_requests 1000000; server { listen 80; root /var/www/html; } }';

const REDIS = 'save ""\nbind 0.0.0.0\nprotected-mode no\ndir /tmp\n';

function listServers(epoll: string): Server[] {
  return [
    { name: 'epoll server (static musl)', program: epoll, isStatic: true, args: ['80'], files: [], port: 80, ask: HTTP, loads: [{ name: '16 connections', run: wrk(16) }] },
    {
      name: 'nginx', program: '/usr/sbin/nginx', args: ['-c', '/etc/nginx/bench.conf'],
      files: ['etc/nginx/bench.conf', 'etc/passwd', 'etc/group', 'var/www/html/index.html', 'var/log/nginx/', 'var/lib/nginx/', 'tmp/', 'run/'],
      port: 80, ask: HTTP, loads: [{ name: '612 bytes, 30 connections', run: wrk(30) }],
    },
    {
      name: 'redis', program: '/usr/bin/redis-server', args: ['/etc/redis/bench.conf'], files: ['etc/redis/bench.conf', 'tmp/'], port: 6379, ask: 'PING\r\n',
      loads: [
        { name: 'SET', run: redis('set', 1) }, { name: 'GET', run: redis('get', 1) },
        { name: 'SET, pipeline 16', run: redis('set', 16) }, { name: 'GET, pipeline 16', run: redis('get', 16) },
      ],
    },
  ];
}

function callTool(root: string, path: string, args: readonly string[]): Promise<string> {
  const [command, before] = runNatively(root, path);
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, ...args], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 300_000 });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.once('error', reject);
    child.once('close', () => resolve(text));
  });
}

/** One question, one answer: ms until it came, or undefined. A guest that is not up yet costs a try, not QEMU's retries. */
function ask(question: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(PORT, '127.0.0.1');
    const end = (answered: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), 100);
    socket.once('data', () => end(true));
    socket.once('error', () => setTimeout(end, 5, false));
    socket.once('end', () => end(false));
    socket.write(question);
  });
}

interface Usage {
  readonly whole: number;
  readonly guest: number;
}

/** Seconds of CPU time of QEMU, and of its busiest thread: the vCPU. */
function readUsage(pid: number): Usage {
  const read = (path: string) => {
    const fields = readFileSync(path, 'utf8').replace(/^.*\) /s, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  };
  const threads = readdirSync(`/proc/${pid}/task`).map((tid) => read(`/proc/${pid}/task/${tid}/stat`));
  return { whole: read(`/proc/${pid}/stat`), guest: Math.max(...threads) };
}

interface Figures {
  readonly first: number;
  readonly loads: ReadonlyMap<string, { rate: number; perCpu: number; guest: number }>;
}

/** Starts the machine, asks until it answers, runs the loads, ends it. */
async function measure(server: Server, root: string, start: () => { child: ChildProcess; findQemu(): number | undefined }): Promise<Figures> {
  const started = performance.now();
  const { child, findQemu } = start();
  try {
    while (!(await ask(server.ask))) {
      if (performance.now() - started > START_DEADLINE || child.exitCode !== null) throw new Error(`Cannot measure ${server.name}: no answer after ${START_DEADLINE} ms`);
    }
    const first = performance.now() - started;
    const pid = findQemu();
    if (pid === undefined) throw new Error('Cannot measure: QEMU is not there');
    const loads = new Map<string, { rate: number; perCpu: number; guest: number }>();
    for (const load of server.loads) {
      const before = readUsage(pid);
      const begun = performance.now();
      const rate = await load.run(root);
      const count = (rate * (performance.now() - begun)) / 1000;
      const after = readUsage(pid);
      loads.set(load.name, { rate, perCpu: count / (after.whole - before.whole), guest: ((after.guest - before.guest) * 1e6) / count });
    }
    return { first, loads };
  } finally {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
    await new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve(undefined) : child.once('exit', resolve)));
    clearTimeout(timer);
  }
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

function findChild(pid: number): number | undefined {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? undefined : Number(text.split(' ')[0]);
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const made = makeNetworkRoot();
  if ('reason' in made) throw new Error(`Cannot measure: ${made.reason}`);
  const { root } = made;
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-net-'));
  try {
    const compile = (source: string) => {
      const output = join(dir, source);
      execFileSync('musl-gcc', ['-static', '-O2', '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu', `bench/guest/${source}.c`, '-o', output], { stdio: 'inherit' });
      return output;
    };
    writeFileSync(join(root, 'etc/nginx/bench.conf'), NGINX);
    writeFileSync(join(root, 'etc/redis/bench.conf'), REDIS);
    const init = compile('net-init');
    const servers = listServers(compile('epoll-server')).filter(({ name }) => wanted.length === 0 || wanted.some((each) => name.startsWith(each)));
    const kernel = findLinuxKernel();
    const hullEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(dir, 'hull') };

    const startLinux = (server: Server) => {
      const modules = MODULES.map((name, i) => ({ path: `/modules/${i}-${name}.ko`, data: readFileSync(kernel.findModule(name)) }));
      const initramfs = join(dir, 'initramfs');
      writeFileSync(initramfs, makeInitramfs([{ path: '/init', data: readFileSync(init) }, ...modules, ...collectFiles(server, root)]));
      return () => {
        const program = server.isStatic === true ? '/server' : server.program;
        const extra = ['-global', 'virtio-mmio.force-legacy=false', '-netdev', `user,id=net0,hostfwd=tcp:127.0.0.1:${PORT}-:${server.port}`, '-device', 'virtio-net-device,netdev=net0'];
        const args = linuxArguments({ ...MACHINE, kernel, initramfs, args: [program, ...server.args], append: `tsc_early_khz=${findKhz()}`, extra });
        const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'inherit'] });
        return { child, findQemu: () => child.pid };
      };
    };
    const startHull = (server: Server) => () => {
      const files = server.isStatic === true ? [] : ['--rootfs', root];
      const args = ['run', '--machine', 'microvm', '--accel', MACHINE.accelerator, '-m', `${MACHINE.memory}m`, '-p', `127.0.0.1:${PORT}:${server.port}`, ...files, server.program, ...server.args];
      const child = spawn(HULL, args, { stdio: ['ignore', 'ignore', 'inherit'], env: hullEnv });
      return { child, findQemu: () => findChild(child.pid as number) };
    };
    const rows = [['server', 'load', 'Linux req/s', 'hull req/s', 'ratio', 'per QEMU CPU s', 'hull', 'ratio', 'guest µs/req', 'hull', 'first answer ms', 'hull']];
    for (const server of servers) {
      const linux: Figures[] = [];
      const hull: Figures[] = [];
      const linuxStart = startLinux(server);
      await measure({ ...server, loads: [] }, root, startHull(server)); // links, makes the root's image
      for (let run = 0; run < RUNS; run++) {
        linux.push(await measure(server, root, linuxStart));
        hull.push(await measure(server, root, startHull(server)));
      }
      for (const { name } of server.loads) {
        const pick = (figures: Figures[], of: 'rate' | 'perCpu' | 'guest') => median(figures.map(({ loads }) => loads.get(name)?.[of] ?? Number.NaN));
        const both = (of: 'rate' | 'perCpu' | 'guest') => [pick(linux, of).toFixed(0), pick(hull, of).toFixed(0)];
        const ratio = (of: 'rate' | 'perCpu') => (pick(hull, of) / pick(linux, of)).toFixed(2);
        const firsts = [linux, hull].map((figures) => median(figures.map(({ first }) => first)).toFixed(0));
        rows.push([server.name, name, ...both('rate'), ratio('rate'), ...both('perCpu'), ratio('perCpu'), ...both('guest'), ...firsts]);
        process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
      }
    }
    process.stdout.write(`Medians of ${RUNS} machines of each kind in turns, ${SECONDS} s a load, microvm, ${MACHINE.memory} MiB, user network; Linux ${kernel.version}\n`);
    process.stdout.write(`${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
