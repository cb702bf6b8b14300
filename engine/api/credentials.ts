/**
 * Credentials that a client sends (Docker Engine API v1.47, "Authentication"): X-Registry-Auth, and `POST /auth`. Owns: decoding and checking them. Rules: they serve one request and are kept nowhere; without
 * any those of the user who runs the engine are taken.
 */
import type { Credentials } from '../../images/registry/index.ts';
import { checkLogin } from '../ship/index.ts';
import { ApiError } from './error.ts';
import { readJson, sendJson } from './messages.ts';
import type { Exchange, Route } from './route.ts';

interface AuthBody {
  readonly username: string;
  readonly password: string;
  readonly auth: string;
  readonly identitytoken: string;
  readonly serveraddress: string;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function toCredentials({ username, password, auth, identitytoken }: Partial<AuthBody>): Credentials | undefined {
  if (isText(identitytoken)) return { username: '', password: '', identityToken: identitytoken };
  if (isText(username)) return { username, password: isText(password) ? password : '' };
  if (!isText(auth)) return undefined;
  const [, name, secret] = /^([^:]+):([^]*)$/.exec(Buffer.from(auth, 'base64').toString()) ?? [];
  return name === undefined ? undefined : { username: name, password: secret ?? '' };
}

/** Of the header, which is base64url of JSON; clients without credentials send {} or nothing. */
export function readRegistryAuth({ request }: Exchange): Credentials | undefined {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch (cause) {
    throw new ApiError('parameter-invalid', `invalid X-Registry-Auth header: ${(cause as Error).message}, expected base64url of a JSON object`, { cause });
  }
  return typeof value === 'object' && value !== null ? toCredentials(value as Partial<AuthBody>) : undefined;
}

/** "https://index.docker.io/v1/" and the like -> a registry's name. */
function readDomain(address: string | undefined): string {
  const host = (address ?? '').replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

async function auth(exchange: Exchange): Promise<void> {
  const body = await readJson<AuthBody>(exchange);
  const credentials = toCredentials(body);
  if (credentials === undefined) throw new ApiError('parameter-invalid', 'no credentials: Cannot log in: expected username and password, or identitytoken');
  await checkLogin(readDomain(body.serveraddress), credentials, exchange.context.paths, exchange.context.host);
  sendJson(exchange, { Status: 'Login Succeeded', IdentityToken: '' });
}

export function listCredentialRoutes(): Route[] {
  return [{ method: 'POST', path: '/auth', summary: 'check credentials with their registry', support: 'full', handle: auth }];
}
