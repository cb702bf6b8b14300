/** Restart policies and health checks, as long as an engine runs: instances/supervise.ts does it. */
import { superviseInstances } from '../instances/index.ts';
import type { ApiContext } from './route.ts';

/** The result ends the watching. */
export function superviseRestarts(context: ApiContext): () => void {
  return superviseInstances(context.host, { say: context.say });
}
