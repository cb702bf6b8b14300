/**
 * A registry in memory, by the OCI Distribution Specification 1.1, with the ways of real ones as options; a token server beside it ("Token Authentication Specification"), and an HTTP proxy.
 * Owns: what it was asked, in `log`. Whoever starts one closes it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

export const sha = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface DoubleOptions {
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean; readonly rejectUnauthorized?: boolean };
  /** It lists referrers itself. */
  readonly listsReferrers?: boolean;
  /** Bytes of one request's body; more is answered with 413. */
  readonly mostBody?: number;
  /** Its search of old; without it only the catalog is there. */
  readonly results?: readonly object[];
  /** Where tokens come from; every request needs one. */
  readonly tokens?: TokenServer;
  /** Does something else with a request: true. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

interface Kept {
  readonly type: string;
  readonly bytes: Buffer;
}

const CATALOG_PAGE = 2;

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

function close(server: Server): void {
  server.closeAllConnections();
  server.close();
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

export async function startDouble(options: DoubleOptions = {}) {
  const blobs = new Map<string, Buffer>();
  const repositories = new Map<string, { readonly blobs: Set<string>; readonly manifests: Map<string, Kept> }>();
  const uploads = new Map<string, Buffer>();
  const log: string[] = [];
  /** Each upload in turn breaks after so many bytes. */
  const breaks: number[] = [];
  /** Uploads are forgotten when one breaks. */
  const state = { forgets: false };
  const open = (name: string) => {
    const found = repositories.get(name) ?? { blobs: new Set<string>(), manifests: new Map<string, Kept>() };
    repositories.set(name, found);
    return found;
  };

  function refuse(response: ServerResponse, status: number, code: string): void {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
  }

  function isAllowed(request: IncomingMessage, response: ServerResponse, scopes: readonly string[]): boolean {
    const { tokens } = options;
    if (tokens === undefined) return true;
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const granted = tokens.granted.get(token);
    if (granted !== undefined && scopes.every((scope) => granted.includes(scope))) return true;
    const wanted = new Map<string, string[]>();
    for (const [name, action] of scopes.map((scope) => scope.split('|') as [string, string])) wanted.set(name, [...(wanted.get(name) ?? []), action]);
    const scope = [...wanted].map(([name, actions]) => `${name}:${actions.join(',')}`).join(' ');
    response.setHeader('www-authenticate', `Bearer realm="${tokens.realm}",service="double"${scope === '' ? '' : `,scope="${scope}"`}`);
    refuse(response, 401, 'UNAUTHORIZED');
    return false;
  }

  async function takeUpload(request: IncomingMessage, response: ServerResponse, name: string, id: string): Promise<void> {
    const before = uploads.get(id);
    if (before === undefined) return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN');
    const range = /^(\d+)-/.exec(String(request.headers['content-range'] ?? ''))?.[1];
    if (range !== undefined && Number(range) !== before.length) return void response.writeHead(416, { location: `/v2/${name}/blobs/uploads/${id}`, range: `0-${before.length - 1}` }).end();
    if (Number(request.headers['content-length'] ?? 0) > (options.mostBody ?? Number.POSITIVE_INFINITY)) return refuse(response, 413, 'SIZE_INVALID');
    const least = breaks.shift();
    if (least === undefined) uploads.set(id, Buffer.concat([before, await readAll(request)]));
    else {
      let got = before;
      for await (const part of request as AsyncIterable<Buffer>) {
        got = Buffer.concat([got, part]);
        if (got.length - before.length >= least) break;
      }
      if (state.forgets) uploads.delete(id);
      else uploads.set(id, got);
      return void response.destroy();
    }
    response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${id}`, range: `0-${Math.max(0, (uploads.get(id) as Buffer).length - 1)}` }).end();
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://double');
    const { method = 'GET' } = request;
    const [, kind = 'none', secret = ''] = /^(\w+) (.*)$/.exec(request.headers.authorization ?? '') ?? [];
    log.push(`${method} ${url.pathname}${url.search} ${kind === 'Basic' ? `${kind} ${Buffer.from(secret, 'base64').toString()}` : kind}`);
    if (options.intercept?.(request, response) === true) return;
    if (url.pathname === '/v2/') {
      if (isAllowed(request, response, [])) response.end('{}');
      return;
    }
    if (url.pathname === '/v1/search' && options.results !== undefined) return void response.end(JSON.stringify({ num_results: options.results.length, results: options.results }));
    if (url.pathname === '/v2/_catalog') {
      if (!isAllowed(request, response, ['registry:catalog|*'])) return;
      const names = [...repositories.keys()].sort();
      const from = names.findIndex((name) => name > (url.searchParams.get('last') ?? ''));
      const page = from < 0 ? [] : names.slice(from, from + CATALOG_PAGE);
      if (from >= 0 && from + CATALOG_PAGE < names.length) response.setHeader('link', `</v2/_catalog?last=${page.at(-1)}&n=${CATALOG_PAGE}>; rel="next"`);
      return void response.end(JSON.stringify({ repositories: page }));
    }
    const [, name, what, rest = ''] = /^\/v2\/(.+)\/(manifests|referrers|blobs\/uploads|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    if (name === undefined) return refuse(response, 404, 'NOT_FOUND');
    const isRead = method === 'GET' || method === 'HEAD';
    const source = url.searchParams.get('from');
    const scopes = [`repository:${name}|pull`, ...(isRead ? [] : [`repository:${name}|push`]), ...(source === null ? [] : [`repository:${source}|pull`])];
    if (!isAllowed(request, response, scopes)) return;
    const repository = open(name);

    if (what === 'referrers') {
      if (options.listsReferrers !== true) return refuse(response, 404, 'NOT_FOUND');
      const manifests = [...new Map([...repository.manifests.values()].map((each) => [sha(each.bytes), each])).entries()].flatMap(([digest, { type, bytes }]) => {
        const { subject, artifactType, config, annotations } = JSON.parse(bytes.toString()) as { subject?: { digest: string }; artifactType?: string; config?: { mediaType: string }; annotations?: object };
        return subject?.digest === rest ? [{ mediaType: type, digest, size: bytes.length, artifactType: artifactType ?? config?.mediaType, annotations }] : [];
      });
      return void response.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' }).end(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }));
    }
    if (what === 'manifests') {
      if (isRead) {
        const found = repository.manifests.get(rest);
        if (found === undefined) return refuse(response, 404, 'MANIFEST_UNKNOWN');
        return void response.writeHead(200, { 'content-type': found.type, 'docker-content-digest': sha(found.bytes) }).end(method === 'HEAD' ? undefined : found.bytes);
      }
      const bytes = await readAll(request);
      const { subject, config, layers = [] } = JSON.parse(bytes.toString()) as { subject?: { digest: string }; config?: { digest: string }; layers?: { digest: string }[] };
      if ([...(config === undefined ? [] : [config]), ...layers].some(({ digest }) => !repository.blobs.has(digest))) return refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN');
      for (const key of [rest, sha(bytes)]) repository.manifests.set(key, { type: request.headers['content-type'] ?? '', bytes });
      const headers = { location: url.pathname, ...(subject !== undefined && options.listsReferrers === true ? { 'oci-subject': subject.digest } : {}) };
      return void response.writeHead(201, headers).end();
    }
    if (what === 'blobs') {
      const bytes = repository.blobs.has(rest) ? blobs.get(rest) : undefined;
      if (bytes === undefined) return refuse(response, 404, 'BLOB_UNKNOWN');
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      return void response.writeHead(from === 0 ? 200 : 206, { 'content-length': bytes.length - from }).end(method === 'HEAD' ? undefined : bytes.subarray(from));
    }
    // Uploads.
    if (method === 'POST') {
      const mounted = url.searchParams.get('mount');
      if (mounted !== null && source !== null && repositories.get(source)?.blobs.has(mounted) === true) {
        repository.blobs.add(mounted);
        return void response.writeHead(201, { location: `/v2/${name}/blobs/${mounted}` }).end();
      }
      const id = randomUUID();
      uploads.set(id, Buffer.alloc(0));
      return void response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${id}` }).end();
    }
    if (method === 'PATCH') return takeUpload(request, response, name, rest);
    const got = uploads.get(rest);
    if (got === undefined) return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN');
    if (method === 'GET') return void response.writeHead(204, { location: url.pathname, range: `0-${Math.max(0, got.length - 1)}` }).end();
    const digest = url.searchParams.get('digest') ?? '';
    if (sha(got) !== digest) return refuse(response, 400, 'DIGEST_INVALID');
    blobs.set(digest, got);
    repository.blobs.add(digest);
    uploads.delete(rest);
    response.writeHead(201, { location: `/v2/${name}/blobs/${digest}` }).end();
  }

  const handle: RequestListener = (request, response) => void serve(request, response).catch(() => response.destroy());
  const server = options.tls === undefined ? createServer(handle) : createSecureServer(options.tls, handle);
  const port = await listen(server);
  return {
    host: `127.0.0.1:${port}`,
    port,
    blobs,
    log,
    breaks,
    state,
    options,
    manifestsOf: (name: string) => open(name).manifests,
    /** Puts content there as a push would. */
    addBlob(name: string, bytes: Buffer): string {
      blobs.set(sha(bytes), bytes);
      open(name).blobs.add(sha(bytes));
      return sha(bytes);
    },
    addManifest(name: string, tag: string, type: string, value: object): { mediaType: string; digest: string; size: number } {
      const bytes = Buffer.from(JSON.stringify(value));
      for (const key of [tag, sha(bytes)]) open(name).manifests.set(key, { type, bytes });
      return { mediaType: type, digest: sha(bytes), size: bytes.length };
    },
    close: () => close(server),
  };
}

export interface TokenServer {
  readonly realm: string;
  /** Token -> "TYPE:NAME|ACTION". */
  readonly granted: ReadonlyMap<string, readonly string[]>;
  readonly log: string[];
  close(): void;
}

/** `mayAccess`: whether somebody (undefined: nobody in particular) gets an action. `identityTokens`: what stands for a user. */
export async function startTokenServer(
  users: Readonly<Record<string, string>>,
  mayAccess: (user: string | undefined, name: string, action: string) => boolean,
  identityTokens: Readonly<Record<string, string>> = {},
): Promise<TokenServer> {
  const granted = new Map<string, readonly string[]>();
  const log: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '/', 'http://tokens');
      const form = request.method === 'POST' ? new URLSearchParams((await readAll(request)).toString()) : url.searchParams;
      const [name = '', password] = /^Basic (.*)$/.exec(request.headers.authorization ?? '')?.[1] === undefined ? [] : Buffer.from((request.headers.authorization as string).slice(6), 'base64').toString().split(/:(.*)/s);
      const user = request.method === 'POST' ? identityTokens[form.get('refresh_token') ?? ''] : name;
      log.push(`${request.method} ${user ?? '?'} ${form.getAll('scope').join(' ')}`);
      const isKnown = request.method === 'POST' ? user !== undefined : name === '' || users[name] === password;
      if (!isKnown || form.get('service') !== 'double') return void response.writeHead(401).end('{}');
      const scopes = form.getAll('scope').flatMap((each) => each.split(' ')).filter((each) => each !== '');
      const all = scopes.flatMap((scope) => {
        const at = scope.lastIndexOf(':');
        return scope.slice(at + 1).split(',').filter((action) => mayAccess(user === '' ? undefined : user, scope.slice(0, at), action)).map((action) => `${scope.slice(0, at)}|${action}`);
      });
      const token = randomUUID();
      granted.set(token, all);
      response.end(JSON.stringify(request.method === 'POST' ? { access_token: token } : { token, expires_in: 60 }));
    })();
  });
  const port = await listen(server);
  return { realm: `http://127.0.0.1:${port}/token`, granted, log, close: () => close(server) };
}

/** An HTTP proxy that knows where names are: NAME:PORT -> port on loopback. `login`: NAME:PASSWORD that it wants. */
export async function startProxy(places: ReadonlyMap<string, number>, login?: string) {
  const log: string[] = [];
  const isWelcome = (request: IncomingMessage) => login === undefined || request.headers['proxy-authorization'] === `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '');
    log.push(`${request.method} ${url.host}${url.pathname}`);
    const port = places.get(`${url.hostname}:${url.port || 80}`);
    if (!isWelcome(request)) return void response.writeHead(407).end();
    if (port === undefined) return void response.writeHead(502).end();
    const { 'proxy-authorization': _, ...headers } = request.headers;
    void (async () => {
      const body = await readAll(request);
      const { request: send } = await import('node:http');
      const onward = send({ host: '127.0.0.1', port, method: request.method, path: `${url.pathname}${url.search}`, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.end(body);
    })();
  });
  const tunnels = new Set<Duplex>();
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    log.push(`CONNECT ${request.url}`);
    const port = places.get(request.url ?? '');
    if (!isWelcome(request)) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    if (port === undefined) return void socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const each of [onward, socket]) {
      tunnels.add(each);
      each.on('error', () => [onward, socket].forEach((both) => void both.destroy()));
      each.on('close', () => tunnels.delete(each));
    }
  });
  const port = await listen(server);
  return {
    address: `127.0.0.1:${port}`,
    log,
    close() {
      for (const each of tunnels) each.destroy();
      close(server);
    },
  };
}
