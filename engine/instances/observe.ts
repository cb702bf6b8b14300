/**
 * How instances are now. Owns: the difference between what was noted and what is true: a machine whose QEMU is gone has ended, and whoever looks first notes how. Rules: reading
 * needs no lock; noting needs the instance's, and when another has it the truth is shown without being noted.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DETACHED, explainError, removeSockets } from '../../boot/index.ts';
import { EXIT } from '../errors.ts';
import { findProcessesIn, isSameProcess, type StatePaths, waitUntil } from '../state/index.ts';
import { releaseVolume, removeVolume } from '../volumes/index.ts';
import { recordEvent } from './events.ts';
import { readRunEnd } from './output.ts';
import { dropInstance, findId, listIds, loadInstance, noSuchInstance, saveState, tryInstance } from './store.ts';
import type { Instance, InstanceState } from './types.ts';

const SIGKILL = 9;
/** How long a machine may take to be gone after SIGKILL. */
const LEAVE_MS = 5000;

export function isRunning(state: Pick<InstanceState, 'status'>): boolean {
  return state.status === 'running' || state.status === 'paused';
}

/** Docker's attributes of a container's events. */
export function describeInstance({ config }: Pick<Instance, 'config'>): Record<string, string> {
  return { ...config.labels, image: config.image, name: config.name };
}

export function recordInstanceEvent(paths: StatePaths, instance: Instance, action: string, more: Readonly<Record<string, string>> = {}): void {
  recordEvent(paths.events, 'container', action, instance.id, { ...describeInstance(instance), ...more });
}

function isMachineAlive({ state }: Instance): boolean {
  return state.pid > 0 && isSameProcess(state.pid, state.identity);
}

function readQemuError(folder: string, memory: number): string | undefined {
  try {
    return explainError(readFileSync(join(folder, DETACHED.errors), 'utf8'), { memory });
  } catch {
    return undefined;
  }
}

/** The state of an instance whose machine is gone. */
export function readEndedState({ folder, config, state }: Instance): InstanceState {
  const end = readRunEnd(folder, state.logStart);
  const base: InstanceState = {
    ...state,
    status: 'exited',
    starter: undefined,
    pid: 0,
    identity: '',
    ports: [],
    finishedAt: new Date(end.time ?? Date.now()).toISOString(),
  };
  if (end.status !== undefined) {
    return { ...base, exitCode: 'code' in end.status ? end.status.code : EXIT.SIGNAL + end.status.signal };
  }
  if (end.hasPanicked) return { ...base, exitCode: EXIT.ENGINE, error: 'the libOS panicked' };
  if (state.stopped !== undefined) return { ...base, exitCode: EXIT.SIGNAL + state.stopped.signal };
  const why = readQemuError(folder, config.request.memory);
  return { ...base, exitCode: EXIT.SIGNAL + SIGKILL, error: why ?? 'the virtual machine monitor (QEMU) was killed' };
}

/** Notes the end of a machine that is gone; under the instance's lock. */
export function settleEnd(paths: StatePaths, instance: Instance): Instance {
  const state = readEndedState(instance);
  removeSockets(instance.folder);
  saveState(instance, state);
  recordInstanceEvent(paths, instance, 'die', { exitCode: String(state.exitCode) });
  return { ...instance, state };
}

/** A start that was killed: its QEMU, if there is one, belongs to nobody. Under the instance's lock. */
export function settleBrokenStart(instance: Instance): Instance {
  const killAll = () => {
    const left = findProcessesIn(instance.folder);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // gone meanwhile
      }
    }
    return left.length === 0;
  };
  waitUntil(killAll, LEAVE_MS);
  removeSockets(instance.folder);
  const state: InstanceState = { ...instance.state, starter: undefined, pid: 0, identity: '', ports: [] };
  saveState(instance, state);
  return { ...instance, state };
}

/** As it is now. Under the lock (`isLocked`), or trying to get it where something has to be noted. */
export function refresh(paths: StatePaths, instance: Instance, isLocked = false): Instance {
  const { state } = instance;
  const settle = (act: (fresh: Instance) => Instance): Instance | undefined => {
    if (isLocked) return act(instance);
    return tryInstance(instance, () => {
      const fresh = loadInstance(paths.instances, instance.id);
      return fresh === undefined ? undefined : refresh(paths, fresh, true);
    });
  };
  if (state.starter !== undefined) {
    if (isSameProcess(state.starter.pid, state.starter.identity)) return instance;
    return settle(settleBrokenStart) ?? { ...instance, state: { ...state, starter: undefined } };
  }
  if (!isRunning(state) || isMachineAlive(instance)) return instance;
  return settle((fresh) => settleEnd(paths, fresh)) ?? { ...instance, state: readEndedState(instance) };
}

/** It ended and was to go with that (--rm). The end in the middle of a restart is not meant. */
function isToGo({ config, state }: Instance): boolean {
  if (!config.autoRemove || state.starter !== undefined || state.startedAt === '' || isRunning(state)) return false;
  return state.restarter === undefined || !isSameProcess(state.restarter.pid, state.restarter.identity);
}

/** Removes it if it is to go and its end is noted. It is not as long as somebody has its lock: a start still looks at a machine that ended at once. */
async function discardEnded(paths: StatePaths, now: Instance): Promise<boolean> {
  if (!isToGo(now)) return false;
  const noted = loadInstance(paths.instances, now.id);
  if (noted !== undefined && !isToGo(noted)) return false;
  await discardInstance(paths, now);
  return true;
}

/** The instance that an id, a prefix or a name means, as it is now. */
export async function findInstance(paths: StatePaths, text: string): Promise<Instance> {
  const instance = loadInstance(paths.instances, findId(paths.instances, text));
  if (instance === undefined) throw noSuchInstance(text);
  const now = refresh(paths, instance);
  if (await discardEnded(paths, now)) throw noSuchInstance(text);
  return now;
}

/** All of them, the youngest first. */
export async function listInstances(paths: StatePaths): Promise<Instance[]> {
  const found: Instance[] = [];
  for (const id of listIds(paths.instances)) {
    const instance = loadInstance(paths.instances, id); // one may be removed meanwhile
    if (instance === undefined) continue;
    const now = refresh(paths, instance);
    if (!(await discardEnded(paths, now))) found.push(now);
  }
  return found.sort((a, b) => (a.config.created < b.config.created ? 1 : -1));
}

/** Removes an instance that does not run, with its own volumes when asked. Two at once: one of them does it. */
export async function discardInstance(paths: StatePaths, instance: Instance, withVolumes = instance.config.autoRemove): Promise<void> {
  const names = instance.config.request.mounts.filter(({ type }) => type === 'volume').map(({ source, target }) => source ?? instance.config.anonymous[target]);
  try {
    await dropInstance(paths.instances, instance);
  } catch (error) {
    if ((error as { code?: string }).code === 'instance-missing') return;
    throw error;
  }
  for (const name of names) if (name !== undefined) releaseVolume(paths.volumes, name, instance.id);
  if (withVolumes) {
    for (const name of Object.values(instance.config.anonymous)) {
      try {
        removeVolume(paths.volumes, name);
      } catch {
        // another instance uses it, or it was removed by hand
      }
    }
  }
  recordInstanceEvent(paths, instance, 'destroy');
}
