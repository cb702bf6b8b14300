/**
 * A machine for the files of an instance that does not run: its kernel and disks, without its program (HULL_FLAG_HOLD). Owns: its start and end. Rules: the instance is locked meanwhile, so it does not start;
 * the machine ends by itself when this process leaves it, however that happens; nothing of it is left in the instance's folder. See docs/decisions/files-of-stopped-instances.md.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FEATURE, FLAG, startDetached } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { type PreparedMachine, prepareMachine, type RunHost } from '../prepare.ts';
import { findProcessesIn, findStatePaths, identifyProcess, isSameProcess } from '../state/index.ts';
import { instanceComponents } from './components.ts';
import { type Guest, withGuest } from './guest-calls.ts';
import { findWritable } from './lifecycle.ts';
import { isRunning } from './observe.ts';
import { loadInstance, noSuchInstance, withInstance } from './store.ts';
import type { Instance } from './types.ts';

const LEAVE_MS = 30_000;
const POLL_MS = 10;

/** Does `act` with the files of an instance, which need not run. */
export async function withAnyGuest<T>(instance: Instance, host: RunHost, act: (guest: Guest) => Promise<T>): Promise<T> {
  const paths = findStatePaths(host.env);
  if (isRunning(instance.state)) return await actInRunning(instance, act);
  return await withInstance(instance, async () => {
    const now = loadInstance(paths.instances, instance.id);
    if (now === undefined) throw noSuchInstance(instance.id);
    return isRunning(now.state) ? await actInRunning(now, act) : await actInHelper(now, host, act);
  });
}

async function actInRunning<T>(instance: Instance, act: (guest: Guest) => Promise<T>): Promise<T> {
  if (instance.state.status === 'paused') throw new EngineError('instance-conflict', `container ${instance.id} is paused, unpause the container first`);
  if ((instance.state.features & FEATURE.CALLS) === 0) {
    throw new EngineError('instance-conflict', `Cannot write into container ${instance.config.name}: its image was linked without the component host-calls, expected one that was started with a root file system by this version of hull`);
  }
  return await withGuest(instance, act);
}

async function actInHelper<T>(instance: Instance, host: RunHost, act: (guest: Guest) => Promise<T>): Promise<T> {
  const { config } = instance;
  const folder = join(instance.folder, 'helper');
  for (const pid of findProcessesIn(folder)) process.kill(pid, 'SIGKILL'); // one whose host was killed a moment ago
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  let prepared: PreparedMachine | undefined;
  let machine: { pid: number; identity: string } | undefined;
  try {
    const network = { network: 'none', publish: [], ip: undefined, dns: [], dnsSearch: [], dnsOptions: [], addHosts: [], aliases: [] };
    prepared = await prepareMachine({ ...config.request, network, writable: findWritable(instance), tty: false, stdin: false, gdb: undefined, trace: undefined }, host, {
      say: () => {},
      notice: () => {},
      windowSize: undefined,
      isDetached: true,
      add: instanceComponents(instance),
      volumeUser: { instance: instance.id, files: join(folder, 'files'), anonymous: config.anonymous },
      untilAborted: (work) => work,
      flags: FLAG.HOLD,
    });
    const { pid, running } = startDetached({ ...prepared.spec, name: `hull files of ${config.name}` }, folder);
    machine = { pid, identity: identifyProcess(pid) ?? '' };
    await running;
    const state = { ...instance.state, status: 'running' as const, ...machine, features: prepared.spec.note.features };
    return await withGuest({ ...instance, folder, state }, act);
  } finally {
    if (machine !== undefined) await leave(machine);
    await prepared?.release();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** It ends by itself, with its disks in order; when it does not, it is ended. */
async function leave({ pid, identity }: { pid: number; identity: string }): Promise<void> {
  for (const before = Date.now(); isSameProcess(pid, identity); await new Promise((resolve) => setTimeout(resolve, POLL_MS))) {
    if (Date.now() - before < LEAVE_MS) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return;
    }
  }
}
