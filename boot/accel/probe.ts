/**
 * Boots the probe guest under one accelerator. Owns: the deadlines and the sentence that says why one is of no use. Rule: the
 * probe's QEMU is gone when the answer is there, or when we are; one that somebody else killed is no answer, but a BootError.
 */
import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { BootError } from '../errors.ts';
import { type Accelerator, makeQemuArguments, type Qemu, wrapLaunch, writeUnlinkedFile } from '../qemu/index.ts';
import { makeArmProbeImage } from './arm-probe-image.ts';
import { makeProbeImage, readProbeAnswer } from './probe-image.ts';

export interface ProbeResult {
  readonly accelerator: Accelerator;
  readonly isUsable: boolean;
  /** Why not, as a clause; empty when usable. */
  readonly reason: string;
  readonly milliseconds: number;
  readonly tscKhz?: number | undefined;
}

export interface ProbeHost {
  readonly qemu: Qemu;
  readonly dist: string;
  readonly env: NodeJS.ProcessEnv;
}

export type Isa = 'x86_64' | 'aarch64';

/** What the host is, as Node.js tells it: `process` is one. */
export interface HostKind {
  readonly platform: string;
  readonly arch: string;
}

/** The instruction set whose guests the host's own CPU can run; undefined: neither of the two. */
export function findHostIsa({ arch }: HostKind): Isa | undefined {
  return arch === 'x64' ? 'x86_64' : arch === 'arm64' ? 'aarch64' : undefined;
}

/** From the spawn to 'S', when the guest begins. TCG is the last resort: it gets the time of a machine under full load. */
const START_MS: Record<Accelerator, number> = { kvm: 500, hvf: 500, tcg: 20_000 };
/** From 'S' to 'R', for two million instructions: 1 ms natively, 5 under TCG, a second where ring 0 is interpreted. */
const LOOP_MS: Record<Accelerator, number> = { kvm: 250, hvf: 250, tcg: 20_000 };
/** From the 'R' to the two measurements. They are of use, not needed. */
const MEASURE_MS = 300;
/** The machine that a guest of each instruction set gets. `virt` has its device tree in the guest's memory, too. */
const GUESTS = {
  x86_64: { machine: 'microvm', memory: 4 << 20, makeImage: makeProbeImage },
  aarch64: { machine: 'virt', memory: 16 << 20, makeImage: makeArmProbeImage },
} as const;

/** Why an accelerator need not be tried, as a clause; undefined: it is to be tried. */
export function findObstacle(accelerator: Accelerator, isa: Isa, kind: HostKind): string | undefined {
  if (accelerator === 'tcg') return undefined;
  if (accelerator === 'hvf' && kind.platform !== 'darwin') return 'only on macOS';
  if (accelerator === 'kvm' && kind.platform !== 'linux') return 'only on Linux';
  if (findHostIsa(kind) !== isa) return `the host is ${kind.arch}, the image ${isa === 'aarch64' ? 'AArch64' : 'x86-64'}`;
  if (accelerator === 'hvf') return undefined;
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no /dev/kvm' : `/dev/kvm cannot be opened (${(error as NodeJS.ErrnoException).code})`;
  }
}

export async function probeAccelerator(host: ProbeHost, accelerator: Accelerator, isa: Isa): Promise<ProbeResult> {
  const obstacle = findObstacle(accelerator, isa, process);
  if (obstacle !== undefined) return { accelerator, isUsable: false, reason: obstacle, milliseconds: 0 };
  const guest = GUESTS[isa];
  const imageFd = writeUnlinkedFile(guest.makeImage(), host.env);
  const started = performance.now();
  try {
    const args = makeQemuArguments({
      machine: guest.machine,
      accelerator,
      memory: guest.memory,
      cpus: 1,
      image: '/proc/self/fd/5',
      features: 1,
      fds: { channel: 3, qmp: 4 },
    });
    const launch = wrapLaunch(host.dist, host.qemu.path, args, host.env, { memory: guest.memory });
    const child = spawn(launch.program, launch.args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', imageFd], detached: true, env: host.env });
    const leave = () => void child.kill('SIGKILL');
    process.on('exit', leave);
    const answer = await new Promise<{ bytes: Buffer; errors: string; why: string; signal?: NodeJS.Signals | null }>((resolve) => {
      let bytes = Buffer.alloc(0);
      let errors = '';
      let why = '';
      const give = (text: string) => () => {
        why = text;
        child.kill('SIGKILL');
      };
      let timer = setTimeout(give(`a guest did not start within ${START_MS[accelerator]} ms`), START_MS[accelerator]);
      (child.stdio[3] as Duplex).on('data', (chunk: Buffer) => {
        const before = bytes.length;
        bytes = Buffer.concat([bytes, chunk]).subarray(0, 64);
        const [limit, text] = bytes.length === 1 ? [LOOP_MS[accelerator], `a guest's loop was not done after ${LOOP_MS[accelerator]} ms`] : [MEASURE_MS, ''];
        if (before >= 2) return;
        clearTimeout(timer);
        timer = setTimeout(give(text), limit);
      });
      (child.stdio[3] as Duplex).on('error', () => {});
      (child.stdio[4] as Duplex).on('error', () => {}).resume();
      (child.stdio[2] as Readable).on('data', (chunk: Buffer) => {
        errors = (errors + chunk.toString('utf8')).slice(0, 4096);
      });
      child.on('error', (error) => {
        clearTimeout(timer);
        resolve({ bytes, errors: error.message, why });
      });
      child.on('close', (_, signal) => {
        clearTimeout(timer);
        resolve({ bytes, errors, why, signal });
      });
    }).finally(() => process.off('exit', leave));
    const milliseconds = Math.round(performance.now() - started);
    if (answer.bytes.toString('latin1', 0, 2) === 'SR') {
      return { accelerator, isUsable: true, reason: '', milliseconds, tscKhz: readProbeAnswer(answer.bytes) };
    }
    if (answer.signal === 'SIGKILL' && answer.why === '') {
      throw new BootError('qemu-killed', `Cannot probe accelerator "${accelerator}": QEMU was killed by signal 9, expected an answer`);
    }
    const line = answer.errors.split('\n').find((each) => each.trim() !== '' && !each.includes('warning:')) ?? '';
    const clean = line.replace(/^.*?qemu-system-\w+: /, '').trim();
    return { accelerator, isUsable: false, reason: answer.why || clean || 'QEMU ended without an answer', milliseconds };
  } finally {
    closeSync(imageFd);
  }
}
