/**
 * `hull doctor`: everything that a run depends on, tried now. Owns: the list of checks. Rules: a check never throws; what it says is what it
 * did, not what it assumes; "missing" means that hull run will not work, "limited" that something else will not or be slower.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { freemem, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { findHostIsa, findProgram, findQboot, findQemu, formatBytes, placeLauncher, probeHost, type Qemu } from '../../boot/index.ts';
import { describeError, describeSystemError } from '../errors.ts';
import type { RunHost } from '../prepare.ts';
import { findStatePaths } from '../state/index.ts';

export interface Finding {
  readonly subject: string;
  readonly state: 'ok' | 'limited' | 'missing';
  readonly text: string;
}

export async function examineHost(host: RunHost, qemuOption: string | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = (subject: string, state: Finding['state'], text: string) => findings.push({ subject, state, text });

  add('host', 'ok', `${process.platform} ${release()} ${process.arch}, node ${process.version}`);
  add('memory', 'ok', `${formatBytes(Math.floor(freemem() / 1048576) * 1048576)} free of ${formatBytes(Math.floor(totalmem() / 1048576) * 1048576)}`);
  await examineQemu(host, qemuOption, add);
  examineProduct(host, add);
  examineFolders(host, add);
  return findings;
}

type Add = (subject: string, state: Finding['state'], text: string) => void;

async function examineQemu(host: RunHost, option: string | undefined, add: Add): Promise<void> {
  let qemu: Qemu;
  const isa = findHostIsa(process);
  try {
    qemu = findQemu(option, host.env, isa);
  } catch (error) {
    add('qemu', 'missing', describeError(error));
    return;
  }
  try {
    const probe = await probeHost({ qemu, dist: host.dist, env: host.env }, true, isa);
    add('qemu', 'ok', `${qemu.path}, version ${probe.qemuVersion}`);
    for (const result of probe.results) {
      const tsc = result.tscKhz === undefined ? '' : `, TSC ${(result.tscKhz / 1000).toFixed(3)} MHz`;
      const text = result.isUsable ? `a probe guest ran in ${result.milliseconds} ms${tsc}` : `${result.reason} (${result.milliseconds} ms)`;
      add(`accelerator ${result.accelerator}`, result.isUsable ? 'ok' : 'limited', text);
    }
    if (!probe.results.some((result) => result.isUsable)) add('accelerator', 'missing', 'none runs a guest');
  } catch (error) {
    add('qemu', 'missing', describeError(error));
  }
  const qboot = findQboot(qemu);
  add('firmware for q35', qboot === undefined ? 'limited' : 'ok', qboot ?? "qboot.rom not found: q35 starts with QEMU's default firmware, slower");
}

function examineProduct(host: RunHost, add: Add): void {
  const libos = join(host.dist, 'libos/x86_64');
  try {
    const components = JSON.parse(readFileSync(join(libos, 'components.json'), 'utf8')) as unknown;
    const count = Array.isArray(components) ? components.length : Object.keys(components as object).length;
    const archives = readdirSync(libos).filter((name) => name.endsWith('.a')).length;
    add('libOS', archives > 0 ? 'ok' : 'missing', `${count} components, ${archives} archives in ${libos}`);
  } catch (error) {
    add('libOS', 'missing', `${libos}: ${describeSystemError(error)}`);
  }
  const libc = join(host.dist, 'sysroot/x86_64/lib/libc.a');
  const hasLibc = existsSync(libc);
  add('musl for hull cc', hasLibc ? 'ok' : 'limited', hasLibc ? `${libc}, ${formatBytes(statSync(libc).size)}` : `${libc} is not there: hull cc will not work`);
  const compiler = ['clang', 'gcc', 'cc'].map((name) => findProgram(host.env['HULL_CC'] ?? name, host.env['PATH'])).find((path) => path !== undefined);
  add('compiler for hull cc', compiler === undefined ? 'limited' : 'ok', compiler ?? 'neither clang nor gcc in PATH: hull cc will not work, hull run does not need one');
  if (process.platform === 'linux') {
    const launcher = placeLauncher(host.dist, process.arch);
    const fallback = findProgram('setpriv', host.env['PATH']);
    if (existsSync(launcher)) add('launcher', 'ok', launcher);
    else add('launcher', 'limited', fallback === undefined ? 'no launcher and no setpriv: QEMU outlives a hull that is killed' : `${fallback} in its place`);
  }
}

function examineFolders(host: RunHost, add: Add): void {
  const paths = findStatePaths(host.env);
  for (const [subject, path] of [['state', paths.root], ['cache', paths.cache]] as const) {
    let probe = path;
    while (!existsSync(probe) && probe !== '/') probe = join(probe, '..');
    try {
      accessSync(probe, constants.W_OK);
      add(subject, 'ok', existsSync(path) ? path : `${path} (made when needed)`);
    } catch (error) {
      add(subject, 'missing', `${path}: ${describeSystemError(error)}`);
    }
  }
  add('entropy', existsSync('/dev/urandom') ? 'ok' : 'missing', '/dev/urandom');
}
