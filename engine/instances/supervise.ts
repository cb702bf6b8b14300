/**
 * What needs somebody alive: restart policies and health checks. Owns: which instance is started again, and how soon. Rules: what somebody stopped stays stopped; the pause before a start doubles as long as an
 * instance ends at once; everything is read from the instances alone, so that another supervisor goes on where this one ended, and several do no harm.
 */
import type { RunHost } from '../prepare.ts';
import { findStatePaths } from '../state/index.ts';
import { hasHealthCheck, watchHealth } from './health.ts';
import { startInstance } from './lifecycle.ts';
import { limitLog } from './log-limit.ts';
import { isRunning, listInstances } from './observe.ts';
import type { Instance } from './types.ts';

const LOOK_MS = 500;
const FIRST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 60_000;
/** A run of this length was no failure to start. */
const GOOD_RUN_MS = 10_000;

export function isToRestart({ config, state }: Instance): boolean {
  if (isRunning(state) || state.starter !== undefined || state.status !== 'exited' || state.stopped !== undefined) return false;
  const { name, most } = config.restart;
  if (name === 'on-failure') return state.exitCode !== 0 && (most === 0 || state.restartCount < most);
  return name === 'always' || name === 'unless-stopped';
}

export interface SuperviseOptions {
  /** This one alone; else all. */
  readonly only?: string | undefined;
  say(line: string): void;
}

/** The result ends the watching, and touches no machine. */
export function superviseInstances(host: RunHost, options: SuperviseOptions): () => void {
  const pauses = new Map<string, number>();
  const busy = new Set<string>();
  const watched = new Map<string, string>();
  const ended = new AbortController();
  let timer: NodeJS.Timeout;
  const restart = async ({ id, state, config }: Instance) => {
    const ran = Date.parse(state.finishedAt) - Date.parse(state.startedAt);
    const pause = ran >= GOOD_RUN_MS ? FIRST_PAUSE_MS : (pauses.get(id) ?? FIRST_PAUSE_MS);
    if (Date.now() - Date.parse(state.finishedAt) < pause) return;
    pauses.set(id, Math.min(pause * 2, MOST_PAUSE_MS));
    try {
      await startInstance(id, host, { isRestart: true });
    } catch (error) {
      options.say(`restart of ${config.name}: ${(error as Error).message}`);
    }
  };
  const watch = (instance: Instance) => {
    const { id, config, state } = instance;
    if (!isRunning(state) || !hasHealthCheck(config) || watched.get(id) === state.startedAt) return;
    watched.set(id, state.startedAt);
    watchHealth(instance, host.env, ended.signal)
      .catch((error: Error) => options.say(`health check of ${config.name}: ${error.message}`))
      .finally(() => {
        if (watched.get(id) === state.startedAt) watched.delete(id); // another may have been at it: tried again
      });
  };
  const look = async () => {
    try {
      for (const instance of await listInstances(findStatePaths(host.env))) {
        if (options.only !== undefined && instance.id !== options.only) continue;
        limitLog(instance);
        watch(instance);
        if (!isToRestart(instance) || busy.has(instance.id)) continue;
        busy.add(instance.id);
        void restart(instance).finally(() => busy.delete(instance.id));
      }
    } catch (error) {
      options.say(`supervision: ${(error as Error).message}`);
    }
    if (!ended.signal.aborted) timer = setTimeout(look, LOOK_MS);
  };
  timer = setTimeout(look, 0);
  return () => {
    clearTimeout(timer);
    ended.abort();
  };
}
