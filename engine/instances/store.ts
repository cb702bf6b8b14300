/**
 * Instances on disk: $HULL_ROOT/instances/<id>/ with config.json, state.json, the machine's output and sockets. Owns: the layout, finding by id, prefix or name, and
 * how an instance comes and goes. Rules: an instance is there when its folder has its id for a name, which it gets when it is complete and loses before anything in it
 * goes; files are 0600 and written atomically; names/<name> is a link whose text is the id, changed under one lock only.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describeSystemError, EngineError } from '../errors.ts';
import { findStatePaths, isProcessAlive, tryLock, withLock, rewriteAtomically } from '../state/index.ts';
import { INSTANCE_NAME, makeName } from './names.ts';
import { type Instance, type InstanceConfig, type InstanceState, NEVER_STARTED } from './types.ts';

const ID = /^[0-9a-f]{64}$/;
/** How long another command may change names, or start one instance (an image may have to be linked). */
const NAMES_PATIENCE_MS = 30_000;
const INSTANCE_PATIENCE_MS = 180_000;

const configOf = (folder: string) => join(folder, 'config.json');
const stateOf = (folder: string) => join(folder, 'state.json');
const namesOf = (instances: string) => join(instances, '.names');

export function noSuchInstance(name: string, cause?: unknown): EngineError {
  return new EngineError('instance-missing', `No such container: ${name}`, { cause });
}

function withNames<T>(instances: string, act: () => T): Promise<T> {
  mkdirSync(namesOf(instances), { recursive: true, mode: 0o700 });
  return withLock(join(instances, '.lock'), 'the names of instances', NAMES_PATIENCE_MS, act);
}

/** Everything that changes an instance's state happens in here. */
export async function withInstance<T>(instance: Pick<Instance, 'id' | 'folder'>, act: () => Promise<T> | T): Promise<T> {
  try {
    return await withLock(join(instance.folder, 'lock'), `container ${instance.id.slice(0, 12)}`, INSTANCE_PATIENCE_MS, act);
  } catch (error) {
    if (!existsSync(instance.folder)) throw noSuchInstance(instance.id, error); // removed meanwhile: nothing could be noted
    throw error;
  }
}

/** The same if nobody else is at it; undefined otherwise. */
export function tryInstance<T>(instance: Pick<Instance, 'folder'>, act: () => T): T | undefined {
  let release: (() => void) | undefined;
  try {
    release = tryLock(join(instance.folder, 'lock'));
  } catch {
    return undefined; // removed meanwhile
  }
  if (release === undefined) return undefined;
  try {
    return act();
  } catch (error) {
    if (!existsSync(instance.folder)) return undefined; // removed meanwhile: nothing could be noted
    throw error;
  } finally {
    release();
  }
}

/** As on disk; undefined when there is none. */
export function loadInstance(instances: string, id: string): Instance | undefined {
  const folder = join(instances, id);
  try {
    const config = JSON.parse(readFileSync(configOf(folder), 'utf8')) as InstanceConfig;
    const state = JSON.parse(readFileSync(stateOf(folder), 'utf8')) as InstanceState;
    return { id, folder, config, state };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new EngineError('state-failed', `Cannot read container "${id.slice(0, 12)}": ${describeSystemError(error)}, expected its state in ${folder}`, { cause: error });
  }
}

export function saveState(instance: Pick<Instance, 'folder'>, state: InstanceState): void {
  rewriteAtomically(stateOf(instance.folder), `${JSON.stringify(state)}\n`);
}

export function saveConfig(instance: Pick<Instance, 'folder'>, config: InstanceConfig): void {
  rewriteAtomically(configOf(instance.folder), `${JSON.stringify(config, null, 1)}\n`);
}

export function listIds(instances: string): string[] {
  try {
    return readdirSync(instances).filter((name) => ID.test(name));
  } catch {
    return [];
  }
}

function readName(instances: string, name: string): string | undefined {
  try {
    const id = readlinkSync(join(namesOf(instances), name));
    return existsSync(join(instances, id)) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** The id that an id, the beginning of one, or a name means: in this order of Docker's: whole id, name, prefix. */
export function findId(instances: string, text: string): string {
  const name = text.replace(/^\//, '');
  if (ID.test(name) && existsSync(join(instances, name))) return name;
  const byName = INSTANCE_NAME.test(name) ? readName(instances, name) : undefined;
  if (byName !== undefined) return byName;
  const found = /^[0-9a-f]+$/.test(name) ? listIds(instances).filter((id) => id.startsWith(name)) : [];
  if (found.length > 1) throw new EngineError('instance-conflict', `Multiple IDs found with provided prefix: ${name}`);
  if (found[0] === undefined) throw noSuchInstance(text);
  return found[0];
}

function refuseName(name: string, holder: string): EngineError {
  return new EngineError('instance-conflict', `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`);
}

/** For a run in the foreground, which keeps no state under its name. */
export function requireFreeName(name: string, env: NodeJS.ProcessEnv): void {
  checkName(name);
  const holder = readName(findStatePaths(env).instances, name);
  if (holder !== undefined) throw refuseName(name, holder);
}

function claimName(instances: string, name: string, id: string): void {
  const holder = readName(instances, name);
  if (holder === id) return;
  if (holder !== undefined) throw refuseName(name, holder);
  const link = join(namesOf(instances), name);
  rmSync(link, { force: true }); // of an instance that is gone
  symlinkSync(id, link);
}

export function checkName(name: string): void {
  if (!INSTANCE_NAME.test(name)) {
    throw new EngineError('option-invalid', `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
}

/** Puts a new instance there. `make` gets the name. */
export async function addInstance(instances: string, id: string, wanted: string | undefined, make: (name: string) => InstanceConfig): Promise<Instance> {
  if (wanted !== undefined) checkName(wanted);
  return await withNames(instances, () => {
    sweepLeftOvers(instances);
    const name = wanted ?? makeName((each) => readName(instances, each) !== undefined);
    claimName(instances, name, id);
    const folder = join(instances, id);
    const fresh = join(instances, `.new-${process.pid}-${id}`);
    try {
      const config = make(name);
      mkdirSync(fresh, { mode: 0o700 });
      saveConfig({ folder: fresh }, config);
      saveState({ folder: fresh }, NEVER_STARTED);
      renameSync(fresh, folder);
      return { id, folder, config, state: NEVER_STARTED };
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      rmSync(join(namesOf(instances), name), { force: true });
      throw error;
    }
  });
}

export async function renameInstance(instances: string, instance: Instance, name: string): Promise<void> {
  checkName(name);
  if (name === instance.config.name) throw new EngineError('option-invalid', 'Renaming a container with the same name as its current name');
  await withInstance(instance, () =>
    withNames(instances, () => {
      claimName(instances, name, instance.id);
      saveConfig(instance, { ...instance.config, name });
      rmSync(join(namesOf(instances), instance.config.name), { force: true });
    }),
  );
}

/** Its machine is gone. The folder leaves first, then what is in it. */
export async function dropInstance(instances: string, instance: Instance): Promise<void> {
  const gone = join(instances, `.removed-${process.pid}-${instance.id}`);
  await withNames(instances, () => {
    try {
      renameSync(instance.folder, gone);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw noSuchInstance(instance.id, error);
      throw error;
    }
    for (const name of readdirSync(namesOf(instances))) {
      try {
        if (readlinkSync(join(namesOf(instances), name)) === instance.id) unlinkSync(join(namesOf(instances), name));
      } catch {
        // not a link of ours
      }
    }
    sweepLeftOvers(instances);
  });
  rmSync(gone, { recursive: true, force: true });
}

/** What a command that was killed amid a creation or removal left; under the lock of names. */
function sweepLeftOvers(instances: string): void {
  for (const name of readdirSync(namesOf(instances))) {
    if (readName(instances, name) === undefined) rmSync(join(namesOf(instances), name), { force: true });
  }
  for (const name of readdirSync(instances)) {
    const pid = /^\.(?:new|removed)-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isProcessAlive(Number(pid))) rmSync(join(instances, name), { recursive: true, force: true });
  }
}
