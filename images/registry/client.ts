/**
 * One repository of a registry: the OCI Distribution Specification 1.1 (end-1 to end-13). Owns: manifests, blobs, uploads, referrers. Rules: a transfer that breaks goes on from where it
 * broke; nothing read here is believed before its digest was checked by whoever stores it.
 */
import { digestOf, type Descriptor, MEDIA, parseIndex, type Reference } from '../store/index.ts';
import { isBroken, openConnection, readNext, type RegistryOptions } from './connection.ts';
import { RegistryError } from './error.ts';
import { explain, type HttpRequest, type HttpResponse, readBody } from './http.ts';

const ACCEPT = [MEDIA.OCI_INDEX, MEDIA.OCI_MANIFEST, MEDIA.DOCKER_INDEX, MEDIA.DOCKER_MANIFEST].join(', ');
/** What a registry that takes no whole blob at once gets at a time. */
const CHUNK = 8 * 1024 * 1024;
const MOST_PAGES = 100;

export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export type Registry = ReturnType<typeof openRegistry>;

/** The tag under which referrers are listed where the registry does not do that itself (distribution specification, "Referrers Tag Schema"). */
const referrersTag = (digest: string): string => digest.replace(':', '-');

export function openRegistry(reference: Reference, options: RegistryOptions) {
  const name = `${reference.domain}/${reference.path}`;
  const connection = openConnection(reference.domain, name, options);
  const { refusal, unauthorized, findBase } = connection;
  const scopes = { pull: `repository:${reference.path}:pull`, push: `repository:${reference.path}:pull,push` };
  let wanted = scopes.pull;

  const sendPatiently = (make: () => HttpRequest, more = '') => connection.sendPatiently(make, more === '' ? wanted : `${wanted} ${more}`);
  const at = (path: string): URL => connection.at(`v2/${reference.path}/${path}`);

  const getManifest = (tagOrDigest: string): Promise<FetchedManifest> => connection.readSomewhere(() => readManifest(tagOrDigest));

  async function readManifest(tagOrDigest: string): Promise<FetchedManifest> {
    const response = await sendPatiently(() => ({ method: 'GET', url: at(`manifests/${tagOrDigest}`), headers: { accept: ACCEPT } }));
    const bytes = await readBody(response);
    const shown = `${name}${tagOrDigest.startsWith('sha256:') ? '@' : ':'}${tagOrDigest}`;
    if (response.status === 404) throw new RegistryError('manifest-missing', `manifest for ${shown} not found: Cannot pull "${shown}": manifest unknown, expected a tag or digest that the registry has`);
    if (response.status === 403) throw await unauthorized();
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
      const used = connection.used();
      try {
        response = await sendPatiently(() => ({ method: 'GET', url: at(`blobs/${digest}`), headers: done === 0 ? {} : { range: `bytes=${done}-` } }));
        if (response.status !== 200 && response.status !== 206) {
          const bytes = await readBody(response);
          if (response.status === 403) throw await unauthorized();
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
        if (isBroken(failure) && (await connection.waitAfter(attempt))) continue;
        if (!connection.leave(used, failure)) throw failure;
        await findBase();
        attempt = 0;
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
  async function putBlob({ digest, size }: Descriptor, open: (from: number, end: number) => AsyncIterable<Uint8Array>, from?: string): Promise<'there' | 'mounted' | 'sent'> {
    await findBase();
    wanted = scopes.push;
    if (await hasBlob(digest)) return 'there';
    const action = `push "${digest}" to "${name}"`;
    const begin = async (query: string, scope?: string): Promise<HttpResponse> => {
      const response = await sendPatiently(() => ({ method: 'POST', url: at(`blobs/uploads/${query}`) }), scope);
      if (response.status !== 201 && response.status !== 202) {
        const bytes = await readBody(response);
        if (response.status === 403) throw await unauthorized();
        throw refusal(response, bytes, action);
      }
      response.body.resume();
      return response;
    };
    /** Who may not read where it is, or asks a registry that cannot, sends it. */
    const mount = async (source: string): Promise<HttpResponse> => {
      try {
        return await begin(`?${new URLSearchParams({ mount: digest, from: source }).toString()}`, `repository:${source}:pull`);
      } catch (error) {
        if (!(error instanceof RegistryError) || isBroken(error)) throw error;
        return begin('');
      }
    };
    const readLocation = (response: HttpResponse, before?: URL): URL => {
      const location = response.headers['location'];
      if (typeof location === 'string') return new URL(location, response.url);
      if (before !== undefined) return before;
      throw new RegistryError('registry-invalid', `Cannot ${action}: the registry names no place for it, expected a Location`);
    };
    const started = from === undefined ? await begin('') : await mount(from);
    if (started.status === 201) return 'mounted';
    let place = readLocation(started);
    let done = 0;
    let most = size;
    for (let attempt = 1; ; attempt++) {
      try {
        for (let isEmpty = size === 0; done < size || isEmpty; isEmpty = false) {
          const end = Math.min(size, done + most);
          const headers = { 'content-type': 'application/octet-stream', ...(end - done === size ? {} : { 'content-range': `${done}-${end - 1}` }) };
          const response = await connection.send({ method: 'PATCH', url: place, headers, body: () => open(done, end), size: end - done }, wanted);
          const bytes = await readBody(response);
          if (response.status === 413 && most > CHUNK && size > CHUNK) {
            most = CHUNK;
            place = readLocation(await begin(''));
            done = 0;
            continue;
          }
          if (response.status >= 500 || response.status === 429) throw new RegistryError('registry-unreachable', `Cannot ${action}: HTTP status ${response.status}, expected the registry to take it`);
          if (response.status !== 202) throw refusal(response, bytes, action);
          place = readLocation(response, place);
          done = end;
        }
        const end = new URL(place);
        end.searchParams.set('digest', digest);
        const closed = await connection.send({ method: 'PUT', url: end }, wanted);
        const bytes = await readBody(closed);
        if (closed.status >= 500 || closed.status === 429) throw new RegistryError('registry-unreachable', `Cannot ${action}: HTTP status ${closed.status}, expected the registry to take it`);
        if (closed.status !== 201 && closed.status !== 204) throw refusal(closed, bytes, action);
        return 'sent';
      } catch (error) {
        if (!isBroken(error) || !(await connection.waitAfter(attempt))) throw error;
        if (await hasBlob(digest)) return 'sent';
        // How far it came (end-13); a registry that has forgotten the upload gets it anew.
        const status = await sendPatiently(() => ({ method: 'GET', url: place }));
        status.body.resume();
        const last = /^(?:bytes=)?0-(\d+)$/.exec(String(status.headers['range'] ?? ''))?.[1];
        if (status.status === 204 && last !== undefined) {
          place = readLocation(status, place);
          const reached = Number(last) === 0 ? 0 : Math.min(size, Number(last) + 1);
          if (reached > done) attempt = 0; // it gets on
          done = reached;
        } else {
          place = readLocation(await begin(''));
          done = 0;
        }
      }
    }
  }

  /** Whether the registry itself lists what refers to the manifest's subject. */
  async function putManifest(bytes: Uint8Array, mediaType: string, tagOrDigest: string): Promise<{ readonly listsReferrers: boolean }> {
    await findBase();
    wanted = scopes.push;
    const response = await sendPatiently(() => ({ method: 'PUT', url: at(`manifests/${tagOrDigest}`), headers: { 'content-type': mediaType }, body: bytes }));
    const answer = await readBody(response);
    if (response.status === 403) throw await unauthorized();
    if (response.status !== 201) throw refusal(response, answer, `push "${name}:${tagOrDigest}"`);
    return { listsReferrers: response.headers['oci-subject'] !== undefined };
  }

  const readReferrers = (bytes: Buffer): readonly Descriptor[] => {
    try {
      return parseIndex(bytes, 'referrers').manifests;
    } catch {
      return []; // something else has that name
    }
  };

  /** What refers to a manifest: signatures, lists of contents (end-12a, or the tag schema); none where the registry does not say. */
  async function listReferrers(digest: string): Promise<readonly Descriptor[]> {
    await findBase();
    const found: Descriptor[] = [];
    let page: URL | undefined = at(`referrers/${digest}`);
    for (let pages = 0; page !== undefined && pages < MOST_PAGES; pages++) {
      const url: URL = page;
      const response = await sendPatiently(() => ({ method: 'GET', url, headers: { accept: MEDIA.OCI_INDEX } }));
      const bytes = await readBody(response);
      if (response.status !== 200) return found.length > 0 ? found : listTagged(digest);
      found.push(...readReferrers(bytes));
      page = readNext(response);
    }
    return found;
  }

  async function listTagged(digest: string): Promise<readonly Descriptor[]> {
    const response = await sendPatiently(() => ({ method: 'GET', url: at(`manifests/${referrersTag(digest)}`), headers: { accept: MEDIA.OCI_INDEX } }));
    const bytes = await readBody(response);
    return response.status === 200 ? readReferrers(bytes) : [];
  }

  /** For registries that do not list them: adds to the index under the tag of the subject. */
  async function addTagged(subject: string, referrer: Descriptor): Promise<void> {
    const before = await listTagged(subject);
    if (before.some((each) => each.digest === referrer.digest)) return;
    await putManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.OCI_INDEX, manifests: [...before, referrer] })), MEDIA.OCI_INDEX, referrersTag(subject));
  }

  /** Whether the credentials hold, or nobody asks for any. */
  async function checkLogin(): Promise<void> {
    await findBase();
    const response = await sendPatiently(() => ({ method: 'GET', url: connection.at('v2/') }));
    const bytes = await readBody(response);
    if (response.status !== 200) throw response.status === 403 ? await unauthorized() : refusal(response, bytes, `log in to "${reference.domain}"`);
  }

  return {
    name,
    getManifest,
    getBlob,
    hasBlob,
    putBlob,
    putManifest,
    listReferrers,
    addTagged,
    checkLogin,
    /** For pushes: tokens are asked for writing from the start. */
    willPush: () => void (wanted = scopes.push),
  };
}
