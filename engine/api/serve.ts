/** `hull engine`: the API's server from its start to its end. Owns: the list of routes, and that nothing is left of the server: its machines go on. */
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { RunHost } from '../prepare.ts';
import { findStatePaths } from '../state/index.ts';
import { listAbsentRoutes } from './absent.ts';
import { createAttendance } from './attendance.ts';
import { listCredentialRoutes } from './credentials.ts';
import { listExecRoutes } from './containers/exec.ts';
import { listFileRoutes } from './containers/files.ts';
import { listContainerRoutes } from './containers/routes.ts';
import { listWatchRoutes } from './containers/watch.ts';
import { listArchiveRoutes } from './images/archives.ts';
import { listBuildRoutes } from './images/build.ts';
import { listImageRoutes } from './images/routes.ts';
import { findGroup, listenOn, parseHost, readTls, type TlsPaths } from './listen.ts';
import { createAnswerCounts, listMetricsRoutes } from './metrics.ts';
import { listNetworkRoutes } from './networks.ts';
import type { ApiContext, Route } from './route.ts';
import { createApiServer } from './server.ts';
import { superviseRestarts } from './supervise.ts';
import { listSystemRoutes } from './system.ts';
import { listVolumeRoutes } from './volumes.ts';

export interface ServeOptions {
  /** unix://PATH or tcp://ADDRESS:PORT; several are listened on at once. */
  readonly hosts: readonly string[];
  /** Of the sockets' files: a name or number. */
  readonly group: string | undefined;
  readonly tls: TlsPaths;
  /** Numbers at /metrics. */
  readonly metrics: boolean;
  say(line: string): void;
}

export interface ApiService {
  /** What is listened on. */
  readonly hosts: readonly string[];
  close(): void;
}

/** In the order in which they are looked at: what is more exact comes first. */
export function listRoutes(): Route[] {
  return [...listSystemRoutes(), ...listMetricsRoutes(), ...listContainerRoutes(), ...listExecRoutes(), ...listFileRoutes(), ...listWatchRoutes(), ...listArchiveRoutes(), ...listBuildRoutes(), ...listImageRoutes(), ...listNetworkRoutes(), ...listVolumeRoutes(), ...listCredentialRoutes(), ...listAbsentRoutes()];
}

function readVersion(dist: string): string {
  try {
    return (JSON.parse(readFileSync(join(dist, '..', 'package.json'), 'utf8')) as { version?: string }).version ?? '0';
  } catch {
    return '0';
  }
}

export async function serveApi(options: ServeOptions, host: RunHost): Promise<ApiService> {
  const paths = findStatePaths(host.env);
  const context: ApiContext = { host, paths, version: readVersion(host.dist), attendance: createAttendance(), answers: createAnswerCounts(), say: options.say };
  const wanted = options.hosts.length === 0 ? [`unix://${join(paths.root, 'run/engine.sock')}`] : options.hosts;
  const group = options.group === undefined ? undefined : findGroup(options.group);
  // All that can be refused is refused before anything listens.
  const plans = wanted.map((each) => ({ host: each, address: parseHost(each) })).map((plan) => ({ ...plan, tls: plan.address.kind === 'tcp' ? readTls(plan.host, options.tls) : undefined }));
  const servers: { close(): void }[] = [];
  let stopWatching = () => {};
  const close = () => {
    stopWatching();
    for (const server of servers) server.close();
  };
  const hosts: string[] = [];
  try {
    for (const { host: each, address, tls } of plans) {
      const server = createApiServer(context, options.metrics ? listRoutes() : listRoutes().filter(({ path }) => path !== '/metrics'), tls);
      hosts.push(await listenOn(server, each, group));
      servers.push({
        close() {
          server.close();
          server.closeAllConnections();
          if (address.kind !== 'unix') return;
          try {
            unlinkSync(address.path);
          } catch {
            // node removed it
          }
        },
      });
    }
  } catch (error) {
    close();
    throw error;
  }
  stopWatching = superviseRestarts(context);
  return { hosts, close };
}
