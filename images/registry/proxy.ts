/**
 * HTTP proxies (RFC 9110, section 9.3.6, CONNECT; RFC 9112, section 3.2.2, absolute form). Owns: which proxy an address is reached through, and tunnels. Rules: HTTPS_PROXY, HTTP_PROXY
 * and NO_PROXY, in small letters too, mean what they mean to Docker and to curl; this host's own loopback is never reached through one; what the proxy is told is
 * its own password and where to, never a registry's credentials, but for plain HTTP.
 */
import { type ClientRequest, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions, request as requestHttps } from 'node:https';
import { BlockList, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { RegistryError } from './error.ts';

/** undefined: reached directly. */
export function findProxy(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const read = (name: string): string => env[name.toLowerCase()] || env[name] || '';
  const text = url.protocol === 'https:' ? read('HTTPS_PROXY') : read('HTTP_PROXY');
  if (text === '' || isExempt(url, read('NO_PROXY'))) return undefined;
  let proxy: URL | undefined;
  try {
    proxy = new URL(/^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    // said below
  }
  if (proxy === undefined || !['http:', 'https:'].includes(proxy.protocol)) {
    throw new RegistryError('credentials-failed', `Cannot use "${text.replace(/\/\/.*@/, '//')}" as a proxy: not an address of an HTTP proxy, expected such as http://proxy.example.org:3128`);
  }
  return proxy;
}

const plainHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '').toLowerCase();
const portOf = (url: URL): string => url.port || (url.protocol === 'https:' ? '443' : '80');
const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** NO_PROXY: "*", addresses, ranges of addresses, names with what is below them; each with or without a port. */
function isExempt(url: URL, list: string): boolean {
  const host = plainHost(url);
  if (isLoopback(host)) return true;
  return list.split(',').some((each) => {
    const rule = each.trim().toLowerCase();
    if (rule === '') return false;
    if (rule === '*') return true;
    const [, name = rule, port] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(rule) ?? [];
    if (port !== undefined && port !== portOf(url)) return false;
    const wanted = name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
    const [, network, bits] = /^([0-9a-f.:]+)\/(\d+)$/.exec(wanted) ?? [];
    if (network !== undefined && isIP(network) !== 0) return isIP(host) === isIP(network) && isInRange(host, network, Number(bits));
    if (wanted.startsWith('.')) return host.endsWith(wanted);
    return host === wanted || (isIP(host) === 0 && host.endsWith(`.${wanted}`));
  });
}

function isInRange(host: string, network: string, bits: number): boolean {
  const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
  if (bits > (family === 'ipv4' ? 32 : 128)) return false;
  const range = new BlockList();
  range.addSubnet(network, bits, family);
  return range.check(host, family);
}

/** Where a request goes, without the password in the address: Node.js would give that to the registry. */
export const placeOf = (proxy: URL): { host: string; port: string } => ({ host: plainHost(proxy), port: portOf(proxy) });

/** What a proxy that asks for a password gets. */
export function authorizeAt(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {};
  return { 'proxy-authorization': `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}` };
}

type Connected = (error: Error | null, socket?: Duplex) => void;

/** Connections by TLS through a tunnel; the certificate that counts is the registry's. */
export class TunnelAgent extends HttpsAgent {
  readonly #proxy: URL;
  readonly #wait: number;

  constructor(proxy: URL, options: AgentOptions & { readonly wait: number }) {
    super(options);
    this.#proxy = proxy;
    this.#wait = options.wait;
  }

  // Node.js's own: a socket, or a call of `connected` later.
  override createConnection(options: { readonly host: string; readonly port: number | string }, connected: Connected): undefined {
    const proxy = this.#proxy;
    const host = isIP(options.host) === 6 ? `[${options.host}]` : options.host;
    const place = `${host}:${options.port}`;
    const send = proxy.protocol === 'https:' ? requestHttps : requestHttp;
    const fail = (what: string, cause?: unknown) =>
      connected(new RegistryError('registry-unreachable', `Cannot reach "${place}" through the proxy "${proxy.host}": ${what}, expected a tunnel: look at HTTPS_PROXY and NO_PROXY`, { cause }));
    const request: ClientRequest = send({ ...placeOf(proxy), method: 'CONNECT', path: place, headers: { host: place, ...authorizeAt(proxy) }, agent: false });
    request.setTimeout(this.#wait, () => request.destroy(new Error(`no progress for ${this.#wait / 1000} s`)));
    request.on('error', (error) => fail(error.message, error));
    request.on('response', (response) => {
      response.resume();
      fail(`it answers ${response.statusCode}`);
    });
    request.on('connect', (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        fail(`it answers ${response.statusCode}`);
        return;
      }
      socket.setTimeout(0);
      const parent = HttpsAgent.prototype as unknown as { createConnection(options: object): Duplex };
      connected(null, parent.createConnection.call(this, { ...options, socket }));
    });
    request.end();
    return undefined;
  }
}
