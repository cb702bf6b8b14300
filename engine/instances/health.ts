/**
 * Health checks: a command in the machine, again and again (Docker's HEALTHCHECK; moby's daemon/health.go). Owns: when a check is due, what its result means, and where that is kept: health.json in the
 * instance's folder. Rules: one process at a time checks an instance, whoever supervises it; a result belongs to one run of the machine; without a supervisor nothing is checked and the status stays "starting".
 */
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { findStatePaths, tryLock, rewriteAtomically } from '../state/index.ts';
import { execInInstance } from './exec.ts';
import { recordInstanceEvent } from './observe.ts';
import { loadInstance } from './store.ts';
import type { HealthCheck } from '../prepare.ts';
import type { Instance } from './types.ts';

const NS_PER_MS = 1e6;
const DEFAULTS = { interval: 30_000, timeout: 30_000, startInterval: 5000, retries: 3 } as const;
const LOG_MOST = 5;
const OUTPUT_MOST = 4096;

export interface HealthState {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  /** As Docker's inspect has them; the last five. */
  readonly log: readonly { readonly Start: string; readonly End: string; readonly ExitCode: number; readonly Output: string }[];
}

type Kept = HealthState & { readonly run: string };

const pathOf = (folder: string) => join(folder, 'health.json');

/** What an option leaves open is as the image has it. */
export function mergeHealth(asked: HealthCheck | undefined, image: HealthCheck | undefined): HealthCheck | undefined {
  if (asked === undefined || image === undefined) return asked ?? image;
  if (asked.test[0] === 'NONE') return asked;
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined && value !== 0));
  return { ...image, ...given, test: asked.test.length === 0 ? image.test : asked.test };
}

export function hasHealthCheck({ health }: { readonly health?: HealthCheck | undefined }): boolean {
  return health?.test[0] !== undefined && health.test[0] !== 'NONE';
}

/** undefined: it has no check. */
export function readHealth({ config, state, folder }: Instance): HealthState | undefined {
  if (!hasHealthCheck(config)) return undefined;
  try {
    const kept = JSON.parse(readFileSync(pathOf(folder), 'utf8')) as Kept;
    if (kept.run === state.startedAt) return { status: kept.status, failingStreak: kept.failingStreak, log: kept.log };
  } catch {
    // none yet
  }
  return { status: 'starting', failingStreak: 0, log: [] };
}

async function check(instance: Instance, test: readonly string[], timeout: number): Promise<{ code: number; output: string }> {
  const args = test[0] === 'CMD-SHELL' ? ['/bin/sh', '-c', test[1] ?? ''] : test.slice(1);
  const pieces: Buffer[] = [];
  let size = 0;
  const output = (_: unknown, bytes: Buffer) => {
    if (size < OUTPUT_MOST) pieces.push(bytes.subarray(0, OUTPUT_MOST - size));
    size += bytes.length;
  };
  const session = await execInInstance(instance, { args, env: [], tty: false, stdin: false }, { output });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeout, undefined);
  });
  const code = await Promise.race([session.wait(), late]);
  clearTimeout(timer);
  if (code === undefined) {
    session.signal(constants.signals.SIGKILL);
    setTimeout(() => session.close(), 1000).unref();
    return { code: -1, output: `Health check exceeded timeout (${timeout / 1000}s)` };
  }
  return { code, output: Buffer.concat(pieces).toString() };
}

function judge(before: HealthState, health: HealthCheck, age: number, entry: HealthState['log'][number]): HealthState {
  const log = [...before.log, entry].slice(-LOG_MOST);
  if (entry.ExitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (before.status === 'starting' && age < (health.startPeriod ?? 0) / NS_PER_MS) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= (health.retries || DEFAULTS.retries) ? 'unhealthy' : before.status, failingStreak, log };
}

/** Checks one run of an instance until it ends or `signal` says so. Nothing happens when another process does. */
export async function watchHealth(instance: Instance, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  const { health } = instance.config;
  const paths = findStatePaths(env);
  const run = instance.state.startedAt;
  const release = health === undefined || !hasHealthCheck(instance.config) ? undefined : tryLock(join(instance.folder, 'health-lock'));
  if (health === undefined || release === undefined) return;
  const inMs = (ns: number | undefined, otherwise: number) => (ns === undefined || ns === 0 ? otherwise : ns / NS_PER_MS);
  try {
    for (;;) {
      const known = readHealth(instance) as HealthState;
      const age = Date.now() - Date.parse(run);
      const isEarly = known.status === 'starting' && age < (health.startPeriod ?? 0) / NS_PER_MS;
      await pause(isEarly ? inMs(health.startInterval, DEFAULTS.startInterval) : inMs(health.interval, DEFAULTS.interval), signal);
      const now = loadInstance(paths.instances, instance.id);
      if (signal.aborted || now === undefined || now.state.startedAt !== run || (now.state.status !== 'running' && now.state.status !== 'paused')) return;
      if (now.state.status === 'paused') continue;
      const Start = new Date().toISOString();
      const { code, output } = await check(now, health.test, inMs(health.timeout, DEFAULTS.timeout)).catch((error: Error) => ({ code: -1, output: error.message }));
      const after = loadInstance(paths.instances, instance.id);
      if (after === undefined || after.state.startedAt !== run || after.state.status === 'exited') return; // its end is not a failure
      const next = judge(known, health, Date.now() - Date.parse(run), { Start, End: new Date().toISOString(), ExitCode: code, Output: output });
      rewriteAtomically(pathOf(instance.folder), `${JSON.stringify({ run, ...next })}\n`);
      if (next.status !== known.status) recordInstanceEvent(paths, now, `health_status: ${next.status}`);
    }
  } catch (error) {
    if (existsSync(instance.folder)) throw error; // else it was removed meanwhile
  } finally {
    release();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
