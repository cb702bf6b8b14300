/**
 * HTTP requests to registries (RFC 9110). Owns: connections, time limits, redirects. Rules: a request that makes no progress for STALL ends; credentials go to the
 * host that they are for and nowhere else: a redirect to another one loses them, and one from HTTPS to HTTP is refused; bodies are streams.
 */
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as requestHttp, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { pipeline, Readable } from 'node:stream';
import { RegistryError } from './error.ts';
import { authorizeAt, findProxy, placeOf, TunnelAgent } from './proxy.ts';
import { readTrust } from './trust.ts';

const STALL_MS = 30_000;
const MOST_REDIRECTS = 8;
const MOST_BODY = 16 * 1024 * 1024;

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly authorization?: string | undefined;
  /** Asked for anew when a redirect has to be followed. */
  readonly body?: (() => AsyncIterable<Uint8Array>) | Uint8Array;
  /** Bytes of a streamed body. */
  readonly size?: number;
  readonly followsRedirects?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The address that answered, after redirects. */
  readonly url: URL;
  readonly body: IncomingMessage;
}

export interface HttpOptions {
  /** ms without any progress. */
  readonly stall?: number;
  /** Certificates are not checked. */
  readonly isInsecure: (host: string) => boolean;
  /** Folders with HOST/*.crt, as Docker's certs.d. */
  readonly certificates: readonly string[];
  readonly userAgent: string;
  /** Proxies and trusted authorities. */
  readonly env: NodeJS.ProcessEnv;
  /** What is asked: "registry", which is the default, or "server". */
  readonly peer?: Peer;
}

type Peer = 'registry' | 'server';

export type HttpClient = ReturnType<typeof createHttpClient>;

export function createHttpClient(options: HttpOptions) {
  const stall = options.stall ?? STALL_MS;
  const plain = new HttpAgent({ keepAlive: true, maxSockets: 8 });
  const secure = new Map<string, HttpsAgent>();

  const pickAgent = (url: URL): HttpsAgent => {
    const known = secure.get(url.host);
    if (known !== undefined) return known;
    const { authorities, client } = readTrust(url.host, options.certificates, options.env);
    const proxy = findProxy(url, options.env);
    const all = { keepAlive: true, maxSockets: 8, rejectUnauthorized: !options.isInsecure(url.host), ca: [...authorities], ...client };
    const agent = proxy === undefined ? new HttpsAgent(all) : new TunnelAgent(proxy, { ...all, wait: stall });
    secure.set(url.host, agent);
    return agent;
  };

  const open = (url: URL, about: RequestOptions): ClientRequest => {
    if (url.protocol === 'https:') return requestHttps(url, { ...about, agent: pickAgent(url) });
    const proxy = findProxy(url, options.env);
    if (proxy === undefined) return requestHttp(url, { ...about, agent: plain });
    return (proxy.protocol === 'https:' ? requestHttps : requestHttp)({ ...about, ...placeOf(proxy), path: url.href, headers: { ...(about.headers as object), host: url.host, ...authorizeAt(proxy) } });
  };

  const sendOnce = ({ method, url, headers, authorization, body, size }: HttpRequest): Promise<HttpResponse> =>
    new Promise((resolve, reject) => {
      const length = body instanceof Uint8Array ? body.length : size;
      const request = open(url, {
        method,
        headers: {
          'user-agent': options.userAgent,
          ...headers,
          ...(authorization === undefined ? {} : { authorization }),
          ...(body === undefined && method !== 'POST' && method !== 'PUT' ? {} : { 'content-length': String(length ?? 0) }),
        },
      });
      const fail = (error: Error) => reject(explain(error, url, options.peer));
      let stalled: NodeJS.Timeout | undefined;
      let answered: IncomingMessage | undefined;
      const touch = () => {
        clearTimeout(stalled);
        stalled = setTimeout(() => {
          const error = new StallError(`no progress for ${stall / 1000} s`);
          answered?.destroy(error);
          request.destroy(error);
        }, stall);
      };
      touch();
      request.on('error', (error) => {
        clearTimeout(stalled);
        fail(error);
      });
      request.on('response', (response) => {
        answered = response;
        touch();
        response.on('data', touch); // data flows once somebody reads
        response.pause();
        response.on('close', () => clearTimeout(stalled));
        response.on('pause', () => clearTimeout(stalled)); // whoever reads is slow, not the registry
        response.on('resume', touch);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, url, body: response });
      });
      if (body === undefined) request.end();
      else if (body instanceof Uint8Array) request.end(body);
      else {
        const source = Readable.from(body(), { objectMode: false });
        source.on('data', touch);
        // The answer to a broken upload may already be there: it is what counts.
        pipeline(source, request, (error) => {
          if (error && answered === undefined) fail(error);
        });
      }
    });

  async function send(request: HttpRequest): Promise<HttpResponse> {
    let { url, authorization } = request;
    for (let redirects = 0; ; redirects++) {
      const response = await sendOnce({ ...request, url, authorization });
      const location = response.headers['location'];
      if (request.followsRedirects === false || ![301, 302, 303, 307, 308].includes(response.status) || typeof location !== 'string') return response;
      response.body.resume();
      if (redirects >= MOST_REDIRECTS) throw new RegistryError('registry-invalid', `Cannot reach "${request.url.host}": more than ${MOST_REDIRECTS} redirects, expected an answer`);
      const next = new URL(location, url);
      if (next.protocol !== 'https:' && (next.protocol !== 'http:' || (url.protocol === 'https:' && !options.isInsecure(next.host)))) {
        throw new RegistryError('registry-invalid', `Cannot follow "${url.host}" to "${next.protocol}//${next.host}": not protected as the ${options.peer ?? 'registry'} is, expected HTTPS`);
      }
      if (next.host !== url.host || next.protocol !== url.protocol) authorization = undefined;
      url = next;
    }
  }

  return {
    send,
    close() {
      plain.destroy();
      for (const agent of secure.values()) agent.destroy();
    },
  };
}

class StallError extends Error {}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no such host',
  ECONNRESET: 'the connection was closed',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'the network is unreachable',
};

/** Errors of connections; those that are somebody else's pass through. */
export function explain(error: unknown, url: URL, peer: Peer = 'registry'): Error {
  if (error instanceof RegistryError) return error;
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (name === 'StoreError' || name === 'LayerError') return error as Error;
  const isTls = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|EPROTO/.test(code ?? '') || /certificate|wrong version number/.test(message);
  const reason = error instanceof StallError ? error.message : isTls ? `its TLS certificate or handshake does not hold (${/SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message})` : (REASONS[code ?? ''] ?? message);
  const expected = isTls ? `a certificate that this host trusts: put the ${peer}'s CA into certs.d${peer === 'registry' ? ', or list it as insecure' : ''}` : `a ${peer} that answers`;
  return new RegistryError('registry-unreachable', `Cannot reach "${url.host}": ${reason}, expected ${expected}`, { cause: error });
}

/** A body that is not large: manifests, tokens, errors. */
export async function readBody(response: HttpResponse): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of response.body as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MOST_BODY) throw new RegistryError('registry-invalid', `Cannot read the answer of "${response.url.host}": more than ${MOST_BODY} bytes, expected a manifest`);
      parts.push(part);
    }
  } catch (error) {
    throw explain(error, response.url);
  }
  return Buffer.concat(parts);
}
