/**
 * What an endpoint is, and finding the one that a request means. Owns: the grammar of paths ("/containers/{id}/json"; "{name:path}" also takes slashes, as names of images have them) and
 * what a handler gets. Rule: docs/engine-api.md is made from these entries, so each says what it has and what it lacks.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RunHost } from '../prepare.ts';
import type { StatePaths } from '../state/index.ts';
import type { Attendance } from './attendance.ts';
import { ApiError } from './error.ts';
import type { AnswerCounts } from './metrics.ts';

export type Support = 'full' | 'partial' | 'none';

/** What lives as long as the server does. */
export interface ApiContext {
  readonly host: RunHost;
  readonly paths: StatePaths;
  /** hull's own, "0.1.0". */
  readonly version: string;
  readonly attendance: Attendance;
  readonly answers: AnswerCounts;
  /** Lines for whoever runs the engine. */
  say(line: string): void;
}

export interface Exchange {
  readonly context: ApiContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Of the API, as the client speaks it: [1, 47]. */
  readonly version: readonly [number, number];
  /** The client asked for the connection itself (Upgrade); its body, and what came behind it, were taken off. Undefined in an ordinary request. */
  readonly upgrade: { readonly socket: Duplex; readonly body: Buffer; readonly rest: Buffer } | undefined;
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
}

export type Handler = (exchange: Exchange) => Promise<void> | void;

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  readonly support: Support;
  /** What of it is not as in Docker. */
  readonly lacks?: string | undefined;
  readonly handle: Handler;
}

export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

function compile(path: string): RegExp {
  const source = path.replaceAll(/[.]/g, '\\.').replaceAll(/\{(\w+)(:path)?\}/g, (_, name: string, isPath: string | undefined) => `(?<${name}>${isPath === undefined ? '[^/]+' : '.+?'})`);
  return new RegExp(`^${source}$`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new ApiError('parameter-invalid', `invalid URL escape "${text}"`, { cause });
  }
}

/** Finds the route of a method and a path without its version. HEAD is answered by GET where it has no route of its own. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => RouteMatch | undefined {
  const compiled = routes.map((route) => ({ route, pattern: compile(route.path) }));
  const find = (method: string, path: string): RouteMatch | undefined => {
    for (const { route, pattern } of compiled) {
      if (route.method !== method) continue;
      const match = pattern.exec(path);
      if (match === null) continue;
      return { route, params: Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, value]) => [name, decode(value)])) };
    }
    return undefined;
  };
  return (method, path) => find(method, path) ?? (method === 'HEAD' ? find('GET', path) : undefined);
}
