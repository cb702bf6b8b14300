/**
 * The API's server: requests -> routes -> answers. Owns: versions, what a client may do wrong before a route is found, and that one client never waits for another. Rules: an error is one JSON
 * object with `message`; the version in a path is the client's choice among those spoken here; headers have to come in time, everything else may take as long as it takes.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { describeError } from '../errors.ts';
import { ApiError } from './error.ts';
import { takeBody } from './hijack.ts';
import { sendError } from './messages.ts';
import { type ApiContext, createRouter, type Exchange, type Route } from './route.ts';
import { API_VERSION, LEAST_API_VERSION } from './versions.ts';

const HEADERS_MS = 60_000;
const MOST_HIJACK_BODY = 8 * 1024 * 1024;

type ApiVersion = readonly [number, number];

const parseVersion = (text: string): ApiVersion => text.split('.').map(Number) as unknown as ApiVersion;
const isBefore = (a: ApiVersion, b: ApiVersion) => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

/** "/v1.43/info" -> the version and "/info". */
function splitVersion(path: string): { version: ApiVersion; path: string } {
  const match = /^\/v(\d+\.\d+)(\/.*)$/.exec(path);
  if (match === null) return { version: parseVersion(API_VERSION), path };
  const [, text, rest] = match as unknown as [string, string, string];
  const version = parseVersion(text);
  if (isBefore(parseVersion(API_VERSION), version)) {
    throw new ApiError('version-unsupported', `client version ${text} is too new. Maximum supported API version is ${API_VERSION}`);
  }
  if (isBefore(version, parseVersion(LEAST_API_VERSION))) {
    throw new ApiError('version-unsupported', `client version ${text} is too old. Minimum supported API version is ${LEAST_API_VERSION}, please upgrade your client to a newer version`);
  }
  return { version, path: rest };
}

export interface TlsFiles {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export function createApiServer(context: ApiContext, routes: readonly Route[], tls?: TlsFiles): Server {
  const find = createRouter(routes);

  async function answer(request: IncomingMessage, response: ServerResponse, upgrade: Exchange['upgrade']): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => {
      gone.abort();
      context.answers.count(request.method ?? '', upgrade !== undefined && !response.headersSent ? 101 : response.statusCode);
    });
    upgrade?.socket.on('close', () => gone.abort());
    response.setHeader('Api-Version', API_VERSION);
    response.setHeader('Ostype', 'linux');
    response.setHeader('Docker-Experimental', 'false');
    response.setHeader('Server', `hull/${context.version} (linux)`);
    try {
      const [whole = '', ...rest] = (request.url ?? '/').split('?');
      const { version, path } = splitVersion(whole);
      const match = find(request.method ?? '', path);
      if (match === undefined) throw new ApiError('path-missing', 'page not found');
      await match.route.handle({ context, request, response, params: match.params, query: new URLSearchParams(rest.join('?')), version, upgrade, gone: gone.signal });
    } catch (error) {
      // A mistake of ours keeps its trace for whoever runs the engine.
      if (!(error instanceof Error && 'code' in error)) context.say(`${request.method} ${request.url}: ${describeError(error)}`);
      if (response.headersSent || gone.signal.aborted) return void response.destroy();
      sendError(response, error);
      if (upgrade !== undefined) upgrade.socket.end();
    } finally {
      if (upgrade === undefined && !request.complete && !request.readableFlowing) request.resume(); // what nobody read must not hold up the connection
    }
  }

  const listen: RequestListener = (request, response) => void answer(request, response, undefined);
  const options = { headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: 0 };
  const server = tls === undefined ? createServer(options, listen) : createTlsServer({ ...options, ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' }, listen);
  server.timeout = 0;

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void takeOver(request, socket, head));

  async function takeOver(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    try {
      const { body, rest } = await takeBody(socket, head, Number(request.headers['content-length'] ?? 0), MOST_HIJACK_BODY);
      response.assignSocket(socket as never);
      await answer(request, response, { socket, body, rest });
    } catch (error) {
      context.say(`${request.method} ${request.url}: ${describeError(error)}`);
      socket.destroy();
    }
  }

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`, () => socket.destroy());
  });
  return server;
}
