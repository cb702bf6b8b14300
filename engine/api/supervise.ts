/**
 * Restart policies, as long as an engine runs. Owns: which container is started again, and how soon. Rules: what somebody stopped stays stopped; the pause before a start doubles as long as a container ends
 * at once; state is read from the instances alone, so that another engine goes on where this one ended.
 */
import { type Instance, isRunning, listInstances, startInstance } from '../instances/index.ts';
import type { ApiContext } from './route.ts';

const LOOK_MS = 500;
const FIRST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 60_000;
/** A run of this length was no failure to start. */
const GOOD_RUN_MS = 10_000;

function isToRestart({ config, state }: Instance): boolean {
  if (isRunning(state) || state.starter !== undefined || state.status !== 'exited' || state.stopped !== undefined) return false;
  const { name, most } = config.restart;
  if (name === 'on-failure') return state.exitCode !== 0 && (most === 0 || state.restartCount < most);
  return name === 'always' || name === 'unless-stopped';
}

/** The result ends the watching. */
export function superviseRestarts(context: ApiContext): () => void {
  const pauses = new Map<string, number>();
  const starting = new Set<string>();
  let timer: NodeJS.Timeout;
  const restart = async (instance: Instance) => {
    const { id, state, config } = instance;
    const ran = Date.parse(state.finishedAt) - Date.parse(state.startedAt);
    const pause = ran >= GOOD_RUN_MS ? FIRST_PAUSE_MS : (pauses.get(id) ?? FIRST_PAUSE_MS);
    if (Date.now() - Date.parse(state.finishedAt) < pause) return;
    pauses.set(id, Math.min(pause * 2, MOST_PAUSE_MS));
    try {
      await startInstance(id, context.host, { isRestart: true });
    } catch (error) {
      context.say(`restart of ${config.name}: ${(error as Error).message}`);
    }
  };
  const look = async () => {
    try {
      for (const instance of await listInstances(context.paths)) {
        if (!isToRestart(instance) || starting.has(instance.id)) continue;
        starting.add(instance.id);
        void restart(instance).finally(() => starting.delete(instance.id));
      }
    } catch (error) {
      context.say(`restart policies: ${(error as Error).message}`);
    }
    timer = setTimeout(look, LOOK_MS);
  };
  timer = setTimeout(look, LOOK_MS);
  return () => clearTimeout(timer);
}
