/** What Docker has and hull has not: swarm and its things, plugins, BuildKit's sessions. Owns: the statuses and words that clients expect from an engine without them. */
import { ApiError } from './error.ts';
import { sendJson } from './messages.ts';
import type { Route } from './route.ts';

const NO_SWARM = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function refuseSwarm(): never {
  throw new ApiError('swarm-inactive', NO_SWARM);
}

function refuseFeature(what: string): () => never {
  return () => {
    throw new ApiError('feature-absent', what);
  };
}

const SWARM_PATHS = ['/swarm', '/swarm/{name}', '/nodes', '/nodes/{name}', '/nodes/{name}/{verb}', '/services', '/services/{name}', '/services/{name}/{verb}', '/tasks', '/tasks/{name}', '/tasks/{name}/{verb}', '/secrets', '/secrets/{name}', '/secrets/{name}/{verb}', '/configs', '/configs/{name}', '/configs/{name}/{verb}'];
const METHODS = ['GET', 'POST', 'DELETE'] as const;

export function listAbsentRoutes(): Route[] {
  return [
    { method: 'GET', path: '/plugins', summary: 'list plugins: there are none', support: 'full', handle: (exchange) => sendJson(exchange, []) },
    { method: 'POST', path: '/plugins/{name:path}', summary: 'plugins', support: 'none', handle: refuseFeature('Cannot use plugins: hull has none') },
    {
      method: 'POST',
      path: '/swarm/init',
      summary: 'begin a swarm',
      support: 'none',
      handle: refuseFeature('Cannot begin a swarm: hull manages the machines of one host, expected commands on containers'),
    },
    ...SWARM_PATHS.flatMap((path) => METHODS.map((method): Route => ({ method, path, summary: 'swarm: answered as by an engine that is in none', support: 'none', handle: refuseSwarm }))),
  ];
}
