/**
 * Chooses the accelerator. Owns: the order of candidates and the cache of what probes found. Rules: an accelerator is believed only
 * after it has run the probe guest; the answer holds for one host boot, one QEMU file and one /dev/kvm; a cache that cannot be
 * read or written costs time, never the run.
 */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BootError } from '../errors.ts';
import { type Accelerator, readQemuVersion } from '../qemu/index.ts';
import { findHostIsa, type Isa, type ProbeHost, type ProbeResult, probeAccelerator } from './probe.ts';

export interface HostProbe {
  readonly key: string;
  readonly qemuVersion: string;
  readonly results: readonly ProbeResult[];
}

export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  readonly tscKhz: number | undefined;
  /** One line why a better one was not taken; only in the run that found it out. */
  readonly notice: string | undefined;
  readonly probe: HostProbe;
}

const CACHE_FORMAT = 1;

function candidates(): Accelerator[] {
  return process.platform === 'darwin' ? ['hvf', 'tcg'] : ['kvm', 'tcg'];
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return 'unknown';
  }
}

function readKvmDevice(): string {
  try {
    const { rdev, mode, uid, gid, ctimeMs } = statSync('/dev/kvm');
    return `${rdev}:${mode}:${uid}:${gid}:${ctimeMs}:${process.getuid?.() ?? ''}:${(process.getgroups?.() ?? []).join('.')}`;
  } catch {
    return 'none';
  }
}

function makeKey(host: ProbeHost): string {
  return [CACHE_FORMAT, readBootId(), host.qemu.identity, readKvmDevice()].join('|');
}

function readCache(path: string, key: string): HostProbe | undefined {
  try {
    const probe = JSON.parse(readFileSync(path, 'utf8')) as HostProbe;
    return probe.key === key && Array.isArray(probe.results) ? probe : undefined;
  } catch {
    return undefined;
  }
}

/** In place: a reader that meets half of it takes it for no answer, and a writer that is killed leaves no other file. */
function writeCache(path: string, probe: HostProbe): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, JSON.stringify(probe), { mode: 0o600 });
  } catch {
    // then it is probed again next time
  }
}

/** The frequency is only good where the TSC runs at one rate on all CPUs and in all states. */
function isTscInvariant(): boolean {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? '';
    return / constant_tsc\b/.test(flags) && / nonstop_tsc\b/.test(flags);
  } catch {
    return false;
  }
}

/** Probes every candidate, the better ones first, with a guest for `isa`. Stops at the first usable one unless `all`. */
export async function probeHost(host: ProbeHost, all: boolean, isa: Isa = 'x86_64'): Promise<HostProbe> {
  const version = readQemuVersion(host.qemu);
  version.catch(() => {});
  const invariant = isTscInvariant();
  const results: ProbeResult[] = [];
  for (const accelerator of candidates()) {
    const result = await probeAccelerator(host, accelerator, isa);
    results.push(invariant ? result : { ...result, tscKhz: undefined });
    if (result.isUsable && !all) break;
  }
  return { key: makeKey(host), qemuVersion: await version, results };
}

/**
 * `wanted`: what was asked for; 'auto' takes the best that works. `cachePath` remembers. Throws a BootError when QEMU is too old or
 * nothing works.
 */
export async function chooseAccelerator(host: ProbeHost, wanted: Accelerator | 'auto', cachePath: string, isa: Isa = 'x86_64'): Promise<AcceleratorChoice> {
  if (isa !== findHostIsa(process)) return emulate(host, wanted, isa);
  const cached = readCache(cachePath, makeKey(host));
  const isKnown = cached !== undefined && (wanted === 'auto' || cached.results.some((result) => result.accelerator === wanted));
  const probe = isKnown ? cached : await probeHost(host, wanted === 'tcg', isa);
  if (!isKnown) writeCache(cachePath, probe);
  const usable = probe.results.find((result) => result.isUsable && (wanted === 'auto' || result.accelerator === wanted));
  if (usable !== undefined) {
    const refused = probe.results.find((result) => !result.isUsable);
    const notice = isKnown || wanted !== 'auto' || refused === undefined ? undefined : describeFallback(refused, usable);
    return { accelerator: usable.accelerator, tscKhz: usable.tscKhz, notice, probe };
  }
  const reasons = probe.results
    .filter((result) => wanted === 'auto' || result.accelerator === wanted)
    .map((result) => `${result.accelerator}: ${result.reason}`);
  throw new BootError(
    'accelerator-unusable',
    `Cannot use accelerator "${wanted}": ${reasons.join('; ') || 'not available here'}, expected one that runs a guest (see hull doctor)`,
  );
}

/** A machine for another CPU than the host's. */
async function emulate(host: ProbeHost, wanted: Accelerator | 'auto', isa: Isa): Promise<AcceleratorChoice> {
  const [name, platform] = isa === 'aarch64' ? ['AArch64', 'linux/arm64'] : ['x86-64', 'linux/amd64'];
  if (wanted !== 'auto' && wanted !== 'tcg') {
    throw new BootError('accelerator-unusable', `Cannot use accelerator "${wanted}": the image is for ${name}, expected tcg`);
  }
  const probe = { key: '', qemuVersion: await readQemuVersion(host.qemu), results: [] };
  return { accelerator: 'tcg', tscKhz: undefined, notice: wanted === 'auto' ? `using TCG: the image is for ${platform}` : undefined, probe };
}

function describeFallback(refused: ProbeResult, usable: ProbeResult): string {
  return `using ${usable.accelerator.toUpperCase()} instead of ${refused.accelerator.toUpperCase()}: ${refused.reason}`;
}
