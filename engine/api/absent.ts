/** What Docker has and hull has not: swarm and its things, plugins, BuildKit's sessions. Owns: the statuses and words that clients expect from an engine without them. */
import { ApiError } from './error.ts';
import { sendJson } from './messages.ts';
import type { Exchange, Route } from './route.ts';

const NO_SWARM = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function refuseSwarm(): never {
  throw new ApiError('swarm-inactive', NO_SWARM);
}

function refuseFeature(what: string): () => never {
  return () => {
    throw new ApiError('feature-absent', what);
  };
}

/** Privileges of a plugin are asked of a registry; nothing else of one can be there. */
function refusePlugin({ request, params }: Exchange): never {
  if (request.method === 'POST' || params['name'] === 'privileges') throw new ApiError('feature-absent', 'Cannot use plugins: hull has none');
  throw new ApiError('path-missing', `plugin "${params['name']?.replace(/\/json$/, '')}" not found`);
}

const SWARM_PATHS = ['/swarm', '/swarm/{name}', '/nodes', '/nodes/{name}', '/nodes/{name}/{verb}', '/services', '/services/{name}', '/services/{name}/{verb}', '/tasks', '/tasks/{name}', '/tasks/{name}/{verb}', '/secrets', '/secrets/{name}', '/secrets/{name}/{verb}', '/configs', '/configs/{name}', '/configs/{name}/{verb}'];
const METHODS = ['GET', 'POST', 'DELETE'] as const;

export function listAbsentRoutes(): Route[] {
  return [
    { method: 'GET', path: '/plugins', summary: 'list plugins: there are none', support: 'full', handle: (exchange) => sendJson(exchange, []) },
    ...METHODS.map((method): Route => ({ method, path: '/plugins/{name:path}', summary: 'plugins', support: 'none', handle: refusePlugin })),
    ...(['/session', '/grpc'] as const).map((path): Route => ({ method: 'POST', path, summary: "BuildKit's sessions", support: 'none', handle: refuseFeature('Cannot open a session: BuildKit is not part of hull, expected the classic builder (DOCKER_BUILDKIT=0)') })),
    { method: 'GET', path: '/containers/{name}/attach/ws', summary: 'attach over a websocket', support: 'none', handle: refuseFeature('Cannot attach over a websocket: hull has none, expected a connection that is taken over (POST …/attach)') },
    { method: 'PUT', path: '/volumes/{name}', summary: "change a cluster's volume", support: 'none', handle: refuseSwarm },
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
