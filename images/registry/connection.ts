/**
 * What every request to a registry goes through: RFC 9110, section 11, with the token and basic authentication of the CNCF distribution project ("Token Authentication
 * Specification", "OAuth2 Token Authentication"). Owns: which of a registry's addresses is used, authentication, retries. Rules: what breaks is tried again, what is refused is not;
 * credentials are looked up when somebody asks for them, and go to the address that they are kept for: a mirror gets none of the registry that it mirrors.
 */
import type { Credentials } from './credentials.ts';
import { RegistryError } from './error.ts';
import type { RegistryBase } from './hosts.ts';
import { type HttpClient, type HttpRequest, type HttpResponse, readBody } from './http.ts';

const ATTEMPTS = 5;
const WAIT_MS = 200;

export interface RegistryOptions {
  readonly http: HttpClient;
  /** In the order in which they are tried. */
  readonly bases: readonly RegistryBase[];
  /** Under the name that config.json has for a registry. */
  findCredentials(account: string): Promise<Credentials | undefined>;
  /** ms to wait before the second attempt; doubled each time. */
  readonly wait?: number;
}

type Challenge = { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly realm: string; readonly service: string | undefined; readonly scope: string };

/** The first challenge that we can answer. */
function parseChallenge(header: string | string[] | undefined): Challenge | undefined {
  for (const text of header === undefined ? [] : Array.isArray(header) ? header : [header]) {
    const [, scheme, rest] = /^\s*(basic|bearer)\b\s*(.*)$/is.exec(text) ?? [];
    if (scheme?.toLowerCase() === 'basic') return { scheme: 'basic' };
    if (scheme === undefined) continue;
    const fields = new Map([...(rest as string).matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)].map(([, key, quoted, plain]) => [(key as string).toLowerCase(), (quoted ?? plain ?? '').replaceAll(/\\(.)/g, '$1')]));
    const realm = fields.get('realm');
    if (realm !== undefined) return { scheme: 'bearer', realm, service: fields.get('service'), scope: fields.get('scope') ?? '' };
  }
  return undefined;
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Scopes are lists of "TYPE:NAME:ACTION,...", with spaces between. */
const joinScopes = (...scopes: readonly string[]): string => [...new Set(scopes.flatMap((each) => each.split(' ')).filter((each) => each !== ''))].join(' ');

const basicOf = (credentials: Credentials | undefined): string | undefined =>
  credentials === undefined || credentials.identityToken !== undefined ? undefined : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;

export type Connection = ReturnType<typeof openConnection>;

/** `name`: what is accessed, for messages. */
export function openConnection(domain: string, name: string, options: RegistryOptions) {
  const { http } = options;
  const waiting = [...options.bases];
  let base = waiting[0] as RegistryBase;
  let finding: Promise<void> | undefined;
  let known: Promise<Credentials | undefined> | undefined;
  /** Scope -> the header that opens it. */
  const tokens = new Map<string, string>();

  const findCredentials = () => (known ??= options.findCredentials(base.account));
  const isOurs = (url: URL) => url.host === base.url.host;

  async function unauthorized(): Promise<RegistryError> {
    return (await findCredentials()) === undefined
      ? new RegistryError('unauthorized', `Cannot access "${name}": pull access denied, repository does not exist or may require 'hull login', expected credentials for ${base.account}`)
      : new RegistryError('unauthorized', `Cannot access "${name}": unauthorized: incorrect username or password, or access denied, expected credentials that hold: log in again`);
  }

  function refusal(response: HttpResponse, bytes: Buffer, action: string): RegistryError {
    let what = `HTTP status ${response.status}`;
    try {
      const { errors } = JSON.parse(bytes.toString()) as { errors?: { code?: string; message?: string }[] };
      const said = (errors ?? []).map(({ code, message }) => [code?.toLowerCase().replaceAll('_', ' '), message].filter((each) => each !== undefined && each !== '').join(': ')).join('; ');
      if (said !== '') what = `${said} (${what})`;
    } catch {
      // no JSON
    }
    return new RegistryError('registry-refused', `Cannot ${action}: ${what}, expected the registry to do it`);
  }

  async function getToken({ realm, service }: Extract<Challenge, { scheme: 'bearer' }>, scope: string): Promise<string> {
    let url: URL;
    try {
      url = new URL(realm);
    } catch (cause) {
      throw new RegistryError('registry-invalid', `Cannot log in to "${domain}": its token server is "${realm}", expected an address`, { cause });
    }
    const credentials = await findCredentials();
    if (credentials !== undefined && url.protocol !== 'https:' && base.url.protocol === 'https:') {
      throw new RegistryError('registry-invalid', `Cannot log in to "${domain}": its token server "${url.host}" is reached without TLS, expected HTTPS: no credentials were sent`);
    }
    let response: HttpResponse;
    if (credentials?.identityToken !== undefined) {
      const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credentials.identityToken, client_id: 'hull', ...(service === undefined ? {} : { service }), scope });
      response = await http.send({ method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: Buffer.from(form.toString()) });
    } else {
      if (service !== undefined) url.searchParams.set('service', service);
      for (const each of scope.split(' ')) if (each !== '') url.searchParams.append('scope', each);
      if (credentials !== undefined) url.searchParams.set('account', credentials.username);
      response = await http.send({ method: 'GET', url, authorization: basicOf(credentials) });
    }
    const bytes = await readBody(response);
    if (response.status === 401 || response.status === 403) throw await unauthorized();
    if (response.status !== 200) throw refusal(response, bytes, `log in to "${domain}"`);
    let token: unknown;
    try {
      const answer = JSON.parse(bytes.toString()) as { token?: unknown; access_token?: unknown };
      token = answer.token ?? answer.access_token;
    } catch {
      // said below
    }
    if (typeof token !== 'string') throw new RegistryError('registry-invalid', `Cannot log in to "${domain}": its token server's answer has no token, expected one`);
    return `Bearer ${token}`;
  }

  /** One request, with what authentication it needs. */
  async function send(request: HttpRequest, scope: string): Promise<HttpResponse> {
    if (!isOurs(request.url)) return http.send(request);
    const first = await http.send({ ...request, authorization: tokens.get(scope) });
    if (first.status !== 401) return first;
    first.body.resume();
    const challenge = parseChallenge(first.headers['www-authenticate']);
    if (challenge === undefined) throw await unauthorized();
    const header = challenge.scheme === 'basic' ? basicOf(await findCredentials()) : await getToken(challenge, joinScopes(scope, challenge.scope));
    if (header === undefined) throw await unauthorized();
    tokens.set(scope, header);
    const second = await http.send({ ...request, authorization: header });
    if (second.status === 401) {
      second.body.resume();
      tokens.delete(scope);
      throw await unauthorized();
    }
    return second;
  }

  /** Waits before the next attempt; false: there is none. */
  async function waitAfter(attempt: number, seconds = 0): Promise<boolean> {
    if (attempt >= ATTEMPTS) return false;
    await pause(seconds > 0 ? Math.min(seconds, 30) * 1000 : (options.wait ?? WAIT_MS) * 2 ** (attempt - 1));
    return true;
  }

  /** Requests that may be sent twice: again after a break, a 429 or a 5xx. */
  async function sendPatiently(make: () => HttpRequest, scope: string): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await send(make(), scope);
        if (response.status !== 429 && response.status < 500) return response;
        const after = Number(response.headers['retry-after']);
        if (attempt >= ATTEMPTS) return response;
        response.body.resume();
        await waitAfter(attempt, Number.isFinite(after) ? after : 0);
      } catch (error) {
        if (!isBroken(error) || isHopeless(error) || !(await waitAfter(attempt))) throw error;
      }
    }
  }

  /** The first address that answers as a registry. */
  async function searchBase(): Promise<void> {
    let failure: { readonly error: unknown; readonly isMirror: boolean } | undefined;
    for (let candidate = waiting.shift(); candidate !== undefined; candidate = waiting.shift()) {
      base = candidate;
      known = undefined;
      tokens.clear();
      let error: unknown;
      try {
        const response = await http.send({ method: 'GET', url: new URL('v2/', base.url) });
        response.body.resume();
        // A proxy's or a web server's answer is none of a registry's.
        if ([200, 401, 403].includes(response.status) || response.headers['docker-distribution-api-version'] !== undefined) return;
        error = new RegistryError('registry-invalid', `Cannot use "${base.url.host}" as a registry: HTTP status ${response.status} at /v2/, expected the distribution API`);
      } catch (thrown) {
        error = thrown;
      }
      // The registry's own first one tells more than a mirror's.
      if (failure === undefined || (failure.isMirror && !base.isMirror)) failure = { error, isMirror: base.isMirror };
    }
    throw failure?.error;
  }

  const findBase = () => (finding ??= searchBase());

  /** Reads: what a mirror has not got, or does not give, the next address may have. */
  async function readSomewhere<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      await findBase();
      const used = base;
      try {
        return await action();
      } catch (error) {
        if (!leave(used, error)) throw error;
      }
    }
  }

  /** Whether there is another address than `used` in its place. */
  function leave(used: RegistryBase, error: unknown): boolean {
    if (used !== base) return true; // somebody else left it
    if (!(error instanceof RegistryError) || !used.isMirror || waiting.length === 0) return false;
    finding = undefined;
    return true;
  }

  return {
    domain,
    findBase,
    readSomewhere,
    leave,
    used: () => base,
    send,
    sendPatiently,
    waitAfter,
    refusal,
    unauthorized,
    at: (path: string): URL => new URL(path, base.url),
  };
}

/** What a second attempt may mend. */
export const isBroken = (error: unknown): error is RegistryError => error instanceof RegistryError && error.code === 'registry-unreachable';

/** A name, a port or a certificate does not get better by waiting. */
const isHopeless = (error: RegistryError) => /ENOTFOUND|ECONNREFUSED|CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|EPROTO/.test((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '');

/** The next page of a list (distribution specification, "Listing Tags"; RFC 8288). */
export function readNext({ headers, url }: HttpResponse): URL | undefined {
  const link = /<([^>]*)>\s*;[^,]*\brel="?next\b/.exec(String(headers['link'] ?? ''))?.[1];
  return link === undefined ? undefined : new URL(link, url);
}
