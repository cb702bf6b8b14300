/**
 * From created to gone: start, stop, kill, pause, restart, wait, remove. Owns: which state allows what, in Docker's words, and what is noted when. Rules: a start is noted before
 * QEMU is there and again when its pid is known, so that a command that is killed between the two leaves nothing that the next look would not end; waiting holds no lock.
 */
import { constants } from 'node:os';
import { join } from 'node:path';
import { startDetached } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { type PreparedMachine, prepareMachine, type RunHost } from '../prepare.ts';
import { findStatePaths, identifyProcess, isSameProcess, type StatePaths } from '../state/index.ts';
import { askMachine, sendSignal, takesSignals } from './control.ts';
import { readEvents } from './events.ts';
import { instanceComponents } from './components.ts';
import { discardInstance, findInstance, isRunning, recordInstanceEvent, refresh, settleEnd } from './observe.ts';
import { outputSize, readRunEnd } from './output.ts';
import { loadInstance, noSuchInstance, saveState, withInstance } from './store.ts';
import type { Instance, InstanceState } from './types.ts';

const { SIGKILL, SIGTERM } = constants.signals;
/** Docker's. */
export const STOP_SECONDS = 10;
/** QEMU's end after SIGKILL, or after its guest's exit status. */
const LEAVE_MS = 30_000;
const POLL_LEAST_MS = 5;
const POLL_MOST_MS = 100;
/** How long a killed machine may take for its last writes. */
const KILL_MS = 2000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const ownProcess = () => ({ pid: process.pid, identity: identifyProcess(process.pid) ?? '' });

function conflict(message: string): EngineError {
  return new EngineError('instance-conflict', message);
}

/** As it is now, under its lock. */
function reload(paths: StatePaths, { id }: Pick<Instance, 'id'>): Instance {
  const instance = loadInstance(paths.instances, id);
  if (instance === undefined) throw noSuchInstance(id);
  return refresh(paths, instance, true);
}

export interface StartOptions {
  say?(line: string): void;
  notice?(line: string): void;
  readonly windowSize?: { readonly rows: number; readonly columns: number } | undefined;
  readonly isRestart?: boolean | undefined;
}

/** Nothing happens to one that runs. Resolves when its machine runs, or has run. */
export async function startInstance(text: string, host: RunHost, options: StartOptions = {}): Promise<Instance> {
  const paths = findStatePaths(host.env);
  const known = await findInstance(paths, text);
  return await withInstance(known, async () => {
    const instance = reload(paths, known);
    if (instance.state.status === 'paused') throw conflict('cannot start a paused container, try unpause instead');
    if (isRunning(instance.state)) return instance;
    return await startUnderLock(paths, instance, host, options);
  });
}

/** Where a machine with a root file system keeps what it writes: it outlives stops, and goes with the instance. */
export function findWritable({ config: { request }, folder }: Instance): string | undefined {
  if (request.writable !== undefined || request.readOnly === true || (request.rootfs === undefined && request.image === undefined)) return request.writable;
  return join(folder, 'writable.ext4');
}

async function startUnderLock(paths: StatePaths, instance: Instance, host: RunHost, options: StartOptions): Promise<Instance> {
  const { config, folder } = instance;
  let prepared: PreparedMachine | undefined;
  let state: InstanceState = { ...instance.state, starter: ownProcess() };
  saveState(instance, state);
  try {
    prepared = await prepareMachine({ ...config.request, writable: findWritable(instance) }, host, {
      say: options.say ?? (() => {}),
      notice: options.notice ?? (() => {}),
      windowSize: options.windowSize ?? (config.request.tty ? { rows: 24, columns: 80 } : undefined),
      isDetached: true,
      add: instanceComponents(instance),
      volumeUser: { instance: instance.id, files: join(folder, 'files'), anonymous: config.anonymous },
      untilAborted: (work) => work,
    });
    const logStart = outputSize(folder);
    // A machine that was killed may have left half a record, behind which reading begins anew.
    const logBreaks = logStart === 0 || state.logBreaks.includes(logStart) || readRunEnd(folder, 0).isClean ? state.logBreaks : [...state.logBreaks, logStart];
    await prepared.listen();
    const start = startDetached({ ...prepared.spec, name: `hull run ${config.name}` }, folder);
    const identity = identifyProcess(start.pid) ?? '';
    state = {
      ...state,
      status: 'running',
      starter: undefined,
      restarter: undefined,
      pid: start.pid,
      identity,
      startedAt: new Date().toISOString(),
      exitCode: 0,
      error: '',
      stopped: undefined,
      restartCount: options.isRestart === true ? state.restartCount + 1 : state.restartCount,
      ports: prepared.ports,
      kernel: prepared.spec.image,
      features: prepared.spec.note.features,
      logStart,
      logBreaks,
    };
    saveState(instance, state);
    await start.running;
    const running = { ...instance, state };
    recordInstanceEvent(paths, running, 'start');
    return running;
  } catch (error) {
    await prepared?.release();
    const { code, message } = error as { code?: string; message: string };
    const exitCode = code === 'program-missing' ? 127 : code === 'program-invalid' ? 126 : 128;
    // A machine that was noted and did not come up.
    if (isRunning(state)) await endProcess(state);
    saveState(instance, { ...state, status: instance.state.status === 'created' ? 'created' : 'exited', starter: undefined, restarter: undefined, pid: 0, identity: '', ports: [], exitCode, error: message });
    throw error;
  }
}

async function endProcess({ pid, identity }: Pick<InstanceState, 'pid' | 'identity'>): Promise<void> {
  const before = Date.now();
  for (let wait = POLL_LEAST_MS; isSameProcess(pid, identity); wait = Math.min(wait * 1.5, POLL_MOST_MS)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return;
    }
    if (Date.now() - before > LEAVE_MS) throw conflict(`Cannot end process ${pid}: it is there ${LEAVE_MS / 1000} seconds after SIGKILL, expected it to be gone`);
    await sleep(wait);
  }
}

/** Waits until its machine is gone, at most `patience` ms; true when it is. */
async function waitForEnd(instance: Instance, patience: number): Promise<boolean> {
  const { pid, identity } = instance.state;
  const before = Date.now();
  for (let wait = POLL_LEAST_MS; isSameProcess(pid, identity); wait = Math.min(wait * 1.3, POLL_MOST_MS)) {
    if (Date.now() - before >= patience) return false;
    await sleep(Math.min(wait, Math.max(1, patience - (Date.now() - before))));
  }
  return true;
}

/** Notes that it was asked to end, so that its end is not taken for a failure. */
async function noteStopped(paths: StatePaths, instance: Instance, signal: number, more: Pick<InstanceState, 'restarter'> = {}): Promise<Instance> {
  return await withInstance(instance, () => {
    const now = reload(paths, instance);
    if (!isRunning(now.state)) return now;
    const state = { ...now.state, ...more, stopped: { signal } };
    saveState(now, state);
    return { ...now, state };
  });
}

/** SIGKILL for the first process, from within: what it wrote reaches its disks before the machine ends. False when that takes too long. */
async function killInside(instance: Instance): Promise<boolean> {
  if (instance.state.status === 'paused' || !takesSignals(instance)) return false;
  try {
    await sendSignal(instance, SIGKILL);
  } catch {
    return false; // it ends at this moment, or does not listen
  }
  return await waitForEnd(instance, KILL_MS);
}

async function killMachine(paths: StatePaths, instance: Instance, signal: number): Promise<Instance> {
  const noted = await noteStopped(paths, instance, signal);
  if (isRunning(noted.state) && !(await killInside(noted))) await endProcess(noted.state);
  return await withInstance(noted, () => reload(paths, noted));
}

/** Another may have resumed it meanwhile, or it has ended: what comes next is right for both. */
async function resume(paths: StatePaths, instance: Instance): Promise<void> {
  if (instance.state.status !== 'paused') return;
  await setPaused(paths, instance, false).catch((error: { code?: string }) => {
    if (error.code !== 'instance-conflict') throw error;
  });
}

export interface StopOptions {
  readonly signal?: number | undefined;
  /** Seconds until it is killed; -1: never. */
  readonly timeout?: number | undefined;
}

/** Asks the program to end, and ends its machine when it has not in time. Nothing happens to one that does not run. */
export async function stopInstance(text: string, env: NodeJS.ProcessEnv, options: StopOptions = {}): Promise<void> {
  await stopRunning(text, env, options, {});
}

/** `more` is noted together with the stop. */
async function stopRunning(text: string, env: NodeJS.ProcessEnv, options: StopOptions, more: Pick<InstanceState, 'restarter'>): Promise<void> {
  const paths = findStatePaths(env);
  const found = await findInstance(paths, text);
  if (!isRunning(found.state)) return;
  const signal = options.signal ?? found.config.stopSignal ?? SIGTERM;
  const seconds = options.timeout ?? found.config.stopTimeout ?? STOP_SECONDS;
  const instance = await noteStopped(paths, found, SIGKILL, more);
  if (!isRunning(instance.state)) return;
  recordInstanceEvent(paths, instance, 'kill', { signal: String(signal) });
  await resume(paths, instance);
  if (!takesSignals(instance)) {
    await killMachine(paths, instance, signal);
  } else {
    sendSignal(instance, signal).catch(() => {}); // it may end by itself at this moment, or not listen any more
    if (!(await waitForEnd(instance, seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000))) {
      recordInstanceEvent(paths, instance, 'kill', { signal: String(SIGKILL) });
      await killMachine(paths, instance, SIGKILL);
    }
  }
  await settleAfterStop(paths, instance);
}

/** Its end is noted before the stop is. */
async function settleAfterStop(paths: StatePaths, instance: Instance): Promise<void> {
  await findInstance(paths, instance.id).catch((error: { code?: string }) => {
    if (error.code !== 'instance-missing') throw error; // --rm
  });
  recordInstanceEvent(paths, instance, 'stop');
}

/** SIGKILL ends the machine; what a program without signals cannot take ends it, too, where Linux' default would. */
export async function killInstance(text: string, env: NodeJS.ProcessEnv, signal: number = SIGKILL): Promise<void> {
  const paths = findStatePaths(env);
  const instance = await findInstance(paths, text);
  if (!isRunning(instance.state)) throw conflict(`cannot kill container: ${text}: container ${instance.id} is not running`);
  recordInstanceEvent(paths, instance, 'kill', { signal: String(signal) });
  if (signal === SIGKILL) {
    await killMachine(paths, instance, SIGKILL);
    await findInstance(paths, instance.id).catch(() => {});
    return;
  }
  if (takesSignals(instance)) {
    if (signal === SIGTERM || signal === (instance.config.stopSignal ?? SIGTERM)) await noteStopped(paths, instance, SIGKILL);
    return await sendSignal(instance, signal).catch(async (error: Error) => {
      throw isRunning((await findInstance(paths, instance.id)).state) ? error : conflict(`cannot kill container: ${text}: container ${instance.id} is not running`); // it ended at this moment
    });
  }
  if (!HARMLESS.has(signal)) await killMachine(paths, instance, signal);
}

/** Signals whose default action lets a process go on (signal(7)). */
const HARMLESS = new Set<number>(['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'].map((name) => constants.signals[name as NodeJS.Signals]));

/** One that goes when it ends (--rm) stays for this, as long as the process that restarts it lives. */
export async function restartInstance(text: string, host: RunHost, options: StopOptions & StartOptions = {}): Promise<Instance> {
  const paths = findStatePaths(host.env);
  const { id } = await findInstance(paths, text);
  await stopRunning(id, host.env, options, { restarter: ownProcess() });
  const started = await startInstance(id, host, options);
  recordInstanceEvent(paths, started, 'restart');
  return started;
}

async function setPaused(paths: StatePaths, instance: Instance, isPaused: boolean): Promise<void> {
  await withInstance(instance, async () => {
    const now = reload(paths, instance);
    if (!isRunning(now.state)) throw conflict(`Container ${now.id} is not running`);
    if ((now.state.status === 'paused') === isPaused) throw conflict(isPaused ? `Container ${now.id} is already paused` : `Container ${now.id} is not paused`);
    await askMachine(now, isPaused ? 'stop' : 'cont');
    saveState(now, { ...now.state, status: isPaused ? 'paused' : 'running' });
    recordInstanceEvent(paths, now, isPaused ? 'pause' : 'unpause');
  });
}

export async function pauseInstance(text: string, env: NodeJS.ProcessEnv, isPaused: boolean): Promise<void> {
  const paths = findStatePaths(env);
  await setPaused(paths, await findInstance(paths, text), isPaused);
}

export interface RemoveOptions {
  readonly force?: boolean | undefined;
  readonly volumes?: boolean | undefined;
}

export async function removeInstance(text: string, env: NodeJS.ProcessEnv, options: RemoveOptions = {}): Promise<void> {
  const paths = findStatePaths(env);
  const found = await findInstance(paths, text);
  if (isRunning(found.state) && options.force !== true) {
    const what = found.state.status === 'paused' ? 'container is paused and must be unpaused first' : 'container is running: stop the container before removing or force remove';
    throw conflict(`cannot remove container "${found.config.name}": ${what}`);
  }
  if (isRunning(found.state)) recordInstanceEvent(paths, found, 'kill', { signal: String(SIGKILL) });
  await withInstance(found, async () => {
    const instance = reload(paths, found);
    if (isRunning(instance.state)) {
      await endProcess(instance.state);
      settleEnd(paths, { ...instance, state: { ...instance.state, stopped: { signal: SIGKILL } } });
    }
    await discardInstance(paths, instance, options.volumes === true || instance.config.autoRemove);
  });
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** Resolves with the exit code. `signal` ends the waiting, with undefined. */
export async function waitInstance(text: string, env: NodeJS.ProcessEnv, condition: WaitCondition = 'not-running', signal?: AbortSignal): Promise<number | undefined> {
  const paths = findStatePaths(env);
  const first = await findInstance(paths, text);
  const runsBefore = condition === 'next-exit' && !isRunning(first.state) ? first.state.finishedAt : undefined;
  let last = first;
  for (let wait = POLL_LEAST_MS; signal?.aborted !== true; wait = Math.min(wait * 1.3, POLL_MOST_MS)) {
    const loaded = loadInstance(paths.instances, first.id);
    if (loaded === undefined) return findExitCode(paths, last);
    last = refresh(paths, loaded);
    const { status, finishedAt, starter } = last.state;
    const hasEnded = !isRunning(last.state) && starter === undefined && status !== 'created' && finishedAt !== runsBefore;
    if (condition === 'removed' ? false : hasEnded || (condition === 'not-running' && status === 'created' && starter === undefined)) {
      if (last.config.autoRemove && status !== 'created') await findInstance(paths, last.id).catch(() => {});
      return last.state.exitCode;
    }
    if (condition === 'removed' && hasEnded && last.config.autoRemove) await findInstance(paths, last.id).catch(() => {});
    await sleep(wait);
  }
  return undefined;
}

/** Of one that was removed while someone waited. */
function findExitCode(paths: StatePaths, { id, state }: Instance): number {
  const code = readEvents(paths.events).findLast(({ Action, Actor }) => Action === 'die' && Actor.ID === id)?.Actor.Attributes['exitCode'];
  return code === undefined ? state.exitCode : Number(code);
}

/** Whether its machine runs at this moment, cheaply. */
export function isInstanceAlive({ state }: Pick<Instance, 'state'>): boolean {
  return state.pid > 0 && isSameProcess(state.pid, state.identity);
}

