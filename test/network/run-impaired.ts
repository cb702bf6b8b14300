/**
 * Transfers over bad links, by hull and by Debian's cloud kernel in the same machine: each condition one after the other, both ways, every byte checked; the table has the medians of
 * several transfers, and the ratio. Run by `node tools/run.mjs test/network/run-impaired.ts [--bytes N] [--runs N] [--only hull|Linux] [--single] [CONDITION...]` as root. The exit status is 1 where bytes are
 * wrong or missing. Impairment is host/impair.c's: it does not depend on the kernel's netem.
 * Linux hands over up to 64 KiB as one frame, which is lost or overtaken as a whole, as with netem on a tap; with --single its frames have the link's size, as a real link's have and
 * hull's: then a percentage means the same of both.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findLinuxKernel, linuxArguments, listNetworkModules, makeInitramfs } from '../../bench/linux-guest.ts';
import { describeMachine, findKhz, median, renderTable } from '../../bench/machine.ts';
import { awaitServer, type Condition, GUEST, type Link, makeLink, refuseLink } from './impaired.ts';

const CONDITIONS: readonly Condition[] = [
  { name: 'clean' },
  { name: 'delay', delay: 10, jitter: 1 },
  { name: 'loss-1', delay: 5, loss: 1 },
  { name: 'loss-5', delay: 5, loss: 5 },
  { name: 'duplicate-5', delay: 5, duplicate: 5 },
  { name: 'reorder-1', delay: 5, reorder: 1 },
  { name: 'reorder-5', delay: 5, reorder: 5 },
  { name: 'all-2', delay: 5, jitter: 0.5, loss: 2, duplicate: 2, reorder: 2 },
];
const MACHINE = { machine: 'microvm', accelerator: 'tcg', memory: 256 };
const PATIENCE = 300_000;

type Kind = 'hull' | 'Linux';

function startMachine(kind: Kind, link: Link, dir: string, single: boolean): { hasEnded(): boolean; stop(): Promise<void> } {
  const [command, args] = kind === 'hull' ? prepareHull(link) : prepareLinux(link, dir, single);
  const child = spawn(...link.inside(command, args), { env: { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(dir, 'state') }, stdio: ['ignore', 'ignore', 'inherit'] });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    hasEnded,
    async stop() {
      if (hasEnded()) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exit;
      clearTimeout(timer);
    },
  };
}

function prepareHull(link: Link): [string, string[]] {
  return [resolve('dist/hull'), ['run', '--machine', MACHINE.machine, '--accel', MACHINE.accelerator, '-m', `${MACHINE.memory}m`, '--network', `tap:${link.tap}`, '--ip', GUEST, link.bulk, 'serve']];
}

function prepareLinux(link: Link, dir: string, single: boolean): [string, string[]] {
  const kernel = findLinuxKernel();
  const init = join(dir, 'init');
  execFileSync('musl-gcc', ['-static', '-O2', '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu', 'bench/guest/net-init.c', '-o', init], { stdio: 'inherit' });
  const initramfs = join(dir, 'initramfs');
  writeFileSync(initramfs, makeInitramfs([{ path: '/init', data: readFileSync(init) }, ...listNetworkModules(kernel), { path: '/bulk', data: readFileSync(link.bulk) }]));
  const extra = ['-global', 'virtio-mmio.force-legacy=false', '-netdev', `tap,id=net0,ifname=${link.tap},script=no,downscript=no`, '-device', `virtio-net-device,netdev=net0${single ? ',host_tso4=off,host_tso6=off,host_ufo=off' : ''}`];
  return ['qemu-system-x86_64', linuxArguments({ ...MACHINE, kernel, initramfs, args: ['/bulk', 'serve'], append: `tsc_early_khz=${findKhz()}`, extra })];
}

/** KB/s of each transfer; undefined: bytes were wrong, or it did not end. */
async function measure(link: Link, condition: Condition, bytes: number, runs: number): Promise<Record<'get' | 'put', number | undefined>> {
  const end = await link.impair(condition);
  const rates: Record<'get' | 'put', number[]> = { get: [], put: [] };
  const failed = new Set<'get' | 'put'>();
  for (let run = 0; run < runs; run++) {
    for (const direction of ['get', 'put'] as const) {
      try {
        rates[direction].push(bytes / 1000 / (await link.transfer(direction, bytes, PATIENCE)));
      } catch (error) {
        failed.add(direction);
        process.stderr.write(`${condition.name}, ${direction}: ${(error as Error).message}\n`);
      }
    }
  }
  for (const [direction, list] of Object.entries(rates)) process.stderr.write(`${condition.name}, ${direction}, kB/s of each: ${list.map((rate) => rate.toFixed(0)).join(' ')}\n`);
  process.stderr.write(`${condition.name}: ${await end()}\n`);
  const of = (direction: 'get' | 'put') => (failed.has(direction) ? undefined : median(rates[direction]));
  return { get: of('get'), put: of('put') };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { bytes: { type: 'string', default: '4000000' }, runs: { type: 'string', default: '3' }, only: { type: 'string' }, single: { type: 'boolean', default: false } } });
  const refusal = refuseLink();
  if (refusal !== undefined) throw new Error(`Cannot make a bad link: ${refusal}`);
  const conditions = CONDITIONS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const kinds = (['Linux', 'hull'] as const).filter((kind) => values.only === undefined || values.only === kind);
  const dir = mkdtempSync(join(tmpdir(), 'hull-run-impaired-'));
  const link = makeLink();
  const found = new Map<string, Record<'get' | 'put', number | undefined>>();
  try {
    for (const kind of kinds) {
      const machine = startMachine(kind, link, dir, values.single);
      try {
        const end = await link.impair({ name: 'start' });
        await awaitServer(link, machine.hasEnded);
        await end();
        for (const condition of conditions) {
          const rates = await measure(link, condition, Number(values.bytes), Number(values.runs));
          process.stderr.write(`${kind}, ${condition.name}: get ${rates.get?.toFixed(0)} put ${rates.put?.toFixed(0)} kB/s\n`);
          found.set(`${kind} ${condition.name}`, rates);
        }
      } finally {
        await machine.stop();
      }
    }
  } finally {
    link.close();
    rmSync(dir, { recursive: true, force: true });
  }
  const rows = [['condition', 'Linux sends kB/s', 'hull', 'ratio', 'Linux receives kB/s', 'hull', 'ratio']];
  for (const { name } of conditions) {
    const cells = (['get', 'put'] as const).flatMap((direction) => {
      const [linux, hull] = ['Linux', 'hull'].map((kind) => found.get(`${kind} ${name}`)?.[direction]);
      return [linux?.toFixed(0) ?? '-', hull?.toFixed(0) ?? '-', linux === undefined || hull === undefined ? '-' : (hull / linux).toFixed(2)];
    });
    rows.push([name, ...cells]);
  }
  process.stdout.write(`Medians of ${values.runs} transfers of ${values.bytes} bytes${values.single ? ', frames of the size of the link from both' : ''}\n${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}`);
  return [...found.values()].some(({ get, put }) => get === undefined || put === undefined) ? 1 : 0;
}

process.exitCode = await main();
