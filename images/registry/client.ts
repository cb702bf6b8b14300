/**
 * One repository of a registry: the OCI Distribution Specification 1.1 (end-1 to end-13) with the token and basic authentication of the CNCF distribution project
 * ("Token Authentication Specification"). Owns: addresses, authentication, retries. Rules: what breaks is tried again, from where it broke; what is refused is not; nothing read
 * here is believed before its digest was checked by whoever stores it.
 */
import { digestOf, type Descriptor, MEDIA, type Reference } from '../store/index.ts';
import type { Credentials } from './credentials.ts';
import { RegistryError } from './error.ts';
import { explain, type HttpClient, type HttpRequest, type HttpResponse, readBody } from './http.ts';

const ACCEPT = [MEDIA.OCI_INDEX, MEDIA.OCI_MANIFEST, MEDIA.DOCKER_INDEX, MEDIA.DOCKER_MANIFEST].join(', ');
const ATTEMPTS = 5;
const WAIT_MS = 200;

export interface RegistryOptions {
  readonly http: HttpClient;
  /** Base addresses in the order in which they are tried; a mirror is one more. */
  readonly bases: readonly URL[];
  readonly credentials: Credentials | undefined;
  /** ms to wait before the second attempt; doubled each time. */
  readonly wait?: number;
}

export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

type Challenge = { readonly scheme: 'basic' } | { readonly scheme: 'bearer'; readonly realm: string; readonly service: string | undefined; readonly scope: string | undefined };

/** RFC 9110, section 11: the first challenge that we can answer. */
function parseChallenge(header: string | string[] | undefined): Challenge | undefined {
  for (const text of header === undefined ? [] : Array.isArray(header) ? header : [header]) {
    const [, scheme, rest] = /^\s*(basic|bearer)\b\s*(.*)$/is.exec(text) ?? [];
    if (scheme?.toLowerCase() === 'basic') return { scheme: 'basic' };
    if (scheme === undefined) continue;
    const fields = new Map([...(rest as string).matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)].map(([, key, quoted, plain]) => [(key as string).toLowerCase(), (quoted ?? plain ?? '').replaceAll(/\\(.)/g, '$1')]));
    const realm = fields.get('realm');
    if (realm !== undefined) return { scheme: 'bearer', realm, service: fields.get('service'), scope: fields.get('scope') };
  }
  return undefined;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export type Registry = ReturnType<typeof openRegistry>;

export function openRegistry(reference: Reference, options: RegistryOptions) {
  const { http, credentials } = options;
  const name = `${reference.domain}/${reference.path}`;
  let base = options.bases[0] as URL;
  /** Scope -> the header that opens it. */
  const tokens = new Map<string, string>();
  const scopes = { pull: `repository:${reference.path}:pull`, push: `repository:${reference.path}:pull,push` };
  let wanted = scopes.pull;

  const basic = () => (credentials === undefined || credentials.identityToken !== undefined ? undefined : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`);

  async function getToken({ realm, service }: Extract<Challenge, { scheme: 'bearer' }>, scope: string): Promise<string> {
    let url: URL;
    try {
      url = new URL(realm);
    } catch (cause) {
      throw new RegistryError('registry-invalid', `Cannot log in to "${reference.domain}": its token server is "${realm}", expected an address`, { cause });
    }
    if (credentials !== undefined && url.protocol !== 'https:' && base.protocol === 'https:') {
      throw new RegistryError('registry-invalid', `Cannot log in to "${reference.domain}": its token server "${url.host}" is reached without TLS, expected HTTPS: no credentials were sent`);
    }
    let response: HttpResponse;
    if (credentials?.identityToken !== undefined) {
      const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credentials.identityToken, client_id: 'hull', ...(service === undefined ? {} : { service }), scope });
      response = await http.send({ method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: Buffer.from(form.toString()) });
    } else {
      if (service !== undefined) url.searchParams.set('service', service);
      for (const each of scope.split(' ')) if (each !== '') url.searchParams.append('scope', each);
      if (credentials !== undefined) url.searchParams.set('account', credentials.username);
      response = await http.send({ method: 'GET', url, authorization: basic() });
    }
    const bytes = await readBody(response);
    if (response.status === 401 || response.status === 403) throw unauthorized();
    if (response.status !== 200) throw refusal(response, bytes, `log in to "${reference.domain}"`);
    let token: unknown;
    try {
      const answer = JSON.parse(bytes.toString()) as { token?: unknown; access_token?: unknown };
      token = answer.token ?? answer.access_token;
    } catch {
      // said below
    }
    if (typeof token !== 'string') throw new RegistryError('registry-invalid', `Cannot log in to "${reference.domain}": its token server's answer has no token, expected one`);
    return `Bearer ${token}`;
  }

  const unauthorized = () =>
    credentials === undefined
      ? new RegistryError('unauthorized', `Cannot access "${name}": pull access denied, repository does not exist or may require 'hull login', expected credentials for ${reference.domain}`)
      : new RegistryError('unauthorized', `Cannot access "${name}": unauthorized: incorrect username or password, or access denied, expected credentials that hold: log in again`);

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

  /** One request, with what authentication it needs. */
  async function sendAuthorized(request: HttpRequest): Promise<HttpResponse> {
    const isOurs = (url: URL) => url.host === base.host;
    const scope = wanted;
    const first = await http.send({ ...request, authorization: isOurs(request.url) ? tokens.get(scope) : undefined });
    if (first.status !== 401 || !isOurs(request.url)) return first;
    first.body.resume();
    const challenge = parseChallenge(first.headers['www-authenticate']);
    if (challenge === undefined) throw unauthorized();
    const header = challenge.scheme === 'basic' ? basic() : await getToken(challenge, challenge.scope === undefined || challenge.scope === '' ? scope : mergeScopes(challenge.scope, scope));
    if (header === undefined) throw unauthorized();
    tokens.set(scope, header);
    const second = await http.send({ ...request, authorization: header });
    if (second.status === 401) {
      second.body.resume();
      tokens.delete(scope);
      throw unauthorized();
    }
    return second;
  }

  const mergeScopes = (asked: string, ours: string): string => (asked.split(':')[1] === ours.split(':')[1] ? ours : `${ours} ${asked}`);

  /** Requests that may be sent twice: again after a break, a 429 or a 5xx. */
  async function sendPatiently(make: () => HttpRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await sendAuthorized(make());
        if ((response.status !== 429 && response.status < 500) || attempt >= ATTEMPTS) return response;
        response.body.resume();
        const after = Number(response.headers['retry-after']);
        await pause(Number.isFinite(after) && after > 0 ? Math.min(after, 30) * 1000 : waitFor(attempt));
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== 'registry-unreachable' || attempt >= ATTEMPTS || isHopeless(error)) throw error;
        await pause(waitFor(attempt));
      }
    }
  }

  const waitFor = (attempt: number) => (options.wait ?? WAIT_MS) * 2 ** (attempt - 1);
  /** A name, a port or a certificate does not get better by waiting. */
  const isHopeless = (error: RegistryError) => /ENOTFOUND|ECONNREFUSED|CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|EPROTO/.test((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '');

  let isFound = false;
  /** The first base that answers at all. */
  async function findBase(): Promise<void> {
    if (isFound) return;
    let failure: unknown;
    for (const candidate of options.bases) {
      base = candidate;
      try {
        const response = await http.send({ method: 'GET', url: new URL('v2/', base) });
        response.body.resume();
        // A proxy's or a web server's answer is none of a registry's.
        if (response.status === 200 || response.status === 401 || response.status === 403 || response.headers['docker-distribution-api-version'] !== undefined) {
          isFound = true;
          return;
        }
        failure ??= new RegistryError('registry-invalid', `Cannot use "${candidate.host}" as a registry: HTTP status ${response.status} at /v2/, expected the distribution API`);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  const at = (path: string): URL => new URL(`v2/${reference.path}/${path}`, base);

  async function getManifest(tagOrDigest: string, method: 'GET' | 'HEAD' = 'GET'): Promise<FetchedManifest> {
    await findBase();
    const response = await sendPatiently(() => ({ method, url: at(`manifests/${tagOrDigest}`), headers: { accept: ACCEPT } }));
    const bytes = await readBody(response);
    const shown = `${name}${tagOrDigest.startsWith('sha256:') ? '@' : ':'}${tagOrDigest}`;
    if (response.status === 404) throw new RegistryError('manifest-missing', `manifest for ${shown} not found: Cannot pull "${shown}": manifest unknown, expected a tag or digest that the registry has`);
    if (response.status === 403) throw unauthorized();
    if (response.status !== 200) throw refusal(response, bytes, `pull "${shown}"`);
    const digest = digestOf(bytes);
    const said = response.headers['docker-content-digest'];
    const expected = tagOrDigest.startsWith('sha256:') ? tagOrDigest : said;
    if (typeof expected === 'string' && expected.startsWith('sha256:') && expected !== digest) {
      throw new RegistryError('registry-invalid', `Cannot pull "${shown}": its manifest has the digest ${digest}, expected ${expected}`);
    }
    let inside: string | undefined;
    try {
      inside = (JSON.parse(bytes.toString()) as { mediaType?: string }).mediaType;
    } catch {
      // whoever parses it says so
    }
    const mediaType = String(response.headers['content-type'] ?? '').split(';', 1)[0]?.trim();
    return { bytes, descriptor: { mediaType: inside ?? mediaType ?? '', digest, size: bytes.length } };
  }

  /** The content from `from` on; whoever takes it checks the digest. Goes on where a connection broke. */
  async function* getBlob({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): AsyncGenerator<Buffer, void, undefined> {
    await findBase();
    let done = 0;
    for (let attempt = 1; ; attempt++) {
      let response: HttpResponse | undefined;
      try {
        response = await sendPatiently(() => ({ method: 'GET', url: at(`blobs/${digest}`), headers: done === 0 ? {} : { range: `bytes=${done}-` } }));
        if (response.status !== 200 && response.status !== 206) {
          const bytes = await readBody(response);
          if (response.status === 403) throw unauthorized();
          throw refusal(response, bytes, `pull "${digest}" of "${name}"`);
        }
        let skip = response.status === 200 ? done : 0; // no range was given
        const before = done;
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          const part = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length));
          skip -= Math.min(skip, chunk.length);
          if (part.length === 0) continue;
          done += part.length;
          yield part;
        }
        if (done >= size) return;
        if (done > before) attempt = 0; // it gets on
        throw new RegistryError('registry-unreachable', `Cannot pull "${digest}" of "${name}": the registry sent ${done} of ${size} bytes, expected all`);
      } catch (error) {
        const failure = response === undefined ? error : explain(error, response.url);
        if (!(failure instanceof RegistryError) || failure.code !== 'registry-unreachable' || attempt >= ATTEMPTS) throw failure;
        await pause(waitFor(attempt));
      }
    }
  }

  async function hasBlob(digest: string): Promise<boolean> {
    await findBase();
    const response = await sendPatiently(() => ({ method: 'HEAD', url: at(`blobs/${digest}`) }));
    response.body.resume();
    return response.status === 200;
  }

  /** `from`: a repository of the same registry that has it, and need not be asked for it twice. */
  async function putBlob({ digest, size }: Descriptor, open: (from: number) => AsyncIterable<Uint8Array>, from?: string): Promise<'there' | 'mounted' | 'sent'> {
    await findBase();
    wanted = scopes.push;
    if (await hasBlob(digest)) return 'there';
    const action = `push "${digest}" to "${name}"`;
    const begin = async (query: string): Promise<HttpResponse> => {
      const response = await sendPatiently(() => ({ method: 'POST', url: at(`blobs/uploads/${query}`) }));
      if (response.status !== 201 && response.status !== 202) {
        const bytes = await readBody(response);
        if (response.status === 403) throw unauthorized();
        throw refusal(response, bytes, action);
      }
      response.body.resume();
      return response;
    };
    const readLocation = (response: HttpResponse, before?: URL): URL => {
      const location = response.headers['location'];
      if (typeof location === 'string') return new URL(location, response.url);
      if (before !== undefined) return before;
      throw new RegistryError('registry-invalid', `Cannot ${action}: the registry names no place for it, expected a Location`);
    };
    const started = await begin(from === undefined ? '' : `?${new URLSearchParams({ mount: digest, from }).toString()}`);
    if (started.status === 201) return 'mounted';
    let place = readLocation(started);
    let done = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        if (done < size || size === 0) {
          const headers = { 'content-type': 'application/octet-stream', ...(done === 0 ? {} : { 'content-range': `${done}-${size - 1}` }) };
          const response = await sendAuthorized({ method: 'PATCH', url: place, headers, body: () => open(done), size: size - done });
          const bytes = await readBody(response);
          if (response.status >= 500 || response.status === 429) throw new RegistryError('registry-unreachable', `Cannot ${action}: HTTP status ${response.status}, expected the registry to take it`);
          if (response.status !== 202) throw refusal(response, bytes, action);
          place = readLocation(response, place);
          done = size;
        }
        const end = new URL(place);
        end.searchParams.set('digest', digest);
        const closed = await sendAuthorized({ method: 'PUT', url: end });
        const bytes = await readBody(closed);
        if (closed.status !== 201 && closed.status !== 204) throw refusal(closed, bytes, action);
        return 'sent';
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== 'registry-unreachable' || attempt >= ATTEMPTS) throw error;
        await pause(waitFor(attempt));
        if (await hasBlob(digest)) return 'sent';
        // How far it came (end-13); a registry that has forgotten the upload gets it anew.
        const status = await sendPatiently(() => ({ method: 'GET', url: place }));
        status.body.resume();
        const last = /^(?:bytes=)?0-(\d+)$/.exec(String(status.headers['range'] ?? ''))?.[1];
        if (status.status === 204 && last !== undefined) {
          place = readLocation(status, place);
          done = Number(last) === 0 ? 0 : Math.min(size, Number(last) + 1);
        } else {
          place = readLocation(await begin(''));
          done = 0;
        }
      }
    }
  }

  async function putManifest(bytes: Uint8Array, mediaType: string, tagOrDigest: string): Promise<void> {
    await findBase();
    wanted = scopes.push;
    const response = await sendPatiently(() => ({ method: 'PUT', url: at(`manifests/${tagOrDigest}`), headers: { 'content-type': mediaType }, body: bytes }));
    const answer = await readBody(response);
    if (response.status === 403) throw unauthorized();
    if (response.status !== 201) throw refusal(response, answer, `push "${name}:${tagOrDigest}"`);
  }

  /** What refers to a manifest: signatures, lists of contents (end-12a); none where the registry does not say. */
  async function listReferrers(digest: string): Promise<readonly Descriptor[]> {
    await findBase();
    const response = await sendPatiently(() => ({ method: 'GET', url: at(`referrers/${digest}`), headers: { accept: MEDIA.OCI_INDEX } }));
    const bytes = await readBody(response);
    if (response.status !== 200) return [];
    try {
      return (JSON.parse(bytes.toString()) as { manifests?: Descriptor[] }).manifests ?? [];
    } catch {
      return [];
    }
  }

  /** Whether the credentials hold, or nobody asks for any. */
  async function checkLogin(): Promise<void> {
    await findBase();
    const response = await sendPatiently(() => ({ method: 'GET', url: new URL('v2/', base) }));
    const bytes = await readBody(response);
    if (response.status !== 200) throw response.status === 403 ? unauthorized() : refusal(response, bytes, `log in to "${reference.domain}"`);
  }

  return {
    name,
    getManifest,
    getBlob,
    hasBlob,
    putBlob,
    putManifest,
    listReferrers,
    checkLogin,
    /** For pushes: tokens are asked for writing from the start. */
    willPush: () => void (wanted = scopes.push),
  };
}
