/**
 * Who we are for a registry: Docker's config.json (docs.docker.com, "docker login"): auths, credHelpers, credsStore, and the protocol of docker-credential-* programs
 * (github.com/docker/docker-credential-helpers). Owns: reading and changing that file. Rules: what other programs keep in it stays; it is replaced as a whole, for its owner only.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { RegistryError } from './error.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** In place of both: a token that gets tokens. */
  readonly identityToken?: string;
}

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

const HUB_KEY = 'https://index.docker.io/v1/';
const TOKEN_USER = '<token>';

/** Under which key a registry is known: Docker Hub's is an address of old. */
export const keyOf = (domain: string): string => (domain === 'docker.io' ? HUB_KEY : domain);

export function findConfigPath(env: NodeJS.ProcessEnv): string {
  const folder = env['DOCKER_CONFIG'];
  return join(folder !== undefined && folder !== '' ? folder : join(env['HOME'] ?? homedir(), '.docker'), 'config.json');
}

function readConfig(path: string): DockerConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new RegistryError('credentials-failed', `Cannot read "${path}": ${(error as Error).message}, expected Docker's config.json`, { cause: error });
  }
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as DockerConfig;
  } catch {
    // said below
  }
  throw new RegistryError('credentials-failed', `Cannot read "${path}": not a JSON object, expected Docker's config.json`);
}

function changeConfig(path: string, change: (config: DockerConfig) => DockerConfig): void {
  const fresh = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(fresh, `${JSON.stringify(change(readConfig(path)), null, '\t')}\n`, { mode: 0o600 });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    if (error instanceof RegistryError) throw error;
    throw new RegistryError('credentials-failed', `Cannot write "${path}": ${(error as Error).message}, expected to keep the credentials there`, { cause: error });
  }
}

function callHelper(name: string, verb: 'get' | 'store' | 'erase', input: string, env: NodeJS.ProcessEnv): Promise<{ status: number; output: string }> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw new RegistryError('credentials-failed', `Cannot use "${name}" as a credential helper: not a plain name, expected one such as "pass"`);
  return new Promise((resolve, reject) => {
    const helper = spawn(program, [verb], { stdio: ['pipe', 'pipe', 'pipe'], env });
    let output = '';
    helper.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    helper.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    helper.on('error', (cause) => reject(new RegistryError('credentials-failed', `Cannot run "${program}": ${cause.message}, expected the credential helper that config.json names`, { cause })));
    helper.on('close', (code) => resolve({ status: code ?? 1, output }));
    helper.stdin.on('error', () => {});
    helper.stdin.end(input);
  });
}

const helperOf = (config: DockerConfig, key: string): string | undefined => config.credHelpers?.[key] ?? (config.credsStore === '' ? undefined : config.credsStore);

/** undefined: none are known; the registry is asked anonymously. */
export async function findCredentials(domain: string, env: NodeJS.ProcessEnv): Promise<Credentials | undefined> {
  const config = readConfig(findConfigPath(env));
  const key = keyOf(domain);
  const helper = helperOf(config, key);
  if (helper !== undefined) {
    const { status, output } = await callHelper(helper, 'get', key, env);
    if (status !== 0) {
      if (/credentials not found/i.test(output)) return undefined;
      throw new RegistryError('credentials-failed', `Cannot get credentials for "${domain}": docker-credential-${helper} says: ${output.trim()}, expected it to know them`);
    }
    const { Username, Secret } = JSON.parse(output) as { Username: string; Secret: string };
    return Username === TOKEN_USER ? { username: '', password: '', identityToken: Secret } : { username: Username, password: Secret };
  }
  // Older entries have a scheme or a path.
  const entry = config.auths?.[key] ?? Object.entries(config.auths ?? {}).find(([name]) => name.replace(/^https?:\/\//, '').split('/', 1)[0] === key)?.[1];
  if (entry === undefined) return undefined;
  if (entry.identitytoken !== undefined && entry.identitytoken !== '') return { username: '', password: '', identityToken: entry.identitytoken };
  if (entry.auth !== undefined && entry.auth !== '') {
    const text = Buffer.from(entry.auth, 'base64').toString();
    const colon = text.indexOf(':');
    if (colon < 0) throw new RegistryError('credentials-failed', `Cannot use the credentials for "${domain}": they have no colon, expected NAME:PASSWORD in base64: log in again`);
    return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
  }
  return entry.username === undefined ? undefined : { username: entry.username, password: entry.password ?? '' };
}

/** Where they went, for messages. */
export async function storeCredentials(domain: string, { username, password }: Credentials, env: NodeJS.ProcessEnv): Promise<string> {
  const path = findConfigPath(env);
  const key = keyOf(domain);
  const helper = helperOf(readConfig(path), key);
  if (helper !== undefined) {
    const { status, output } = await callHelper(helper, 'store', JSON.stringify({ ServerURL: key, Username: username, Secret: password }), env);
    if (status !== 0) throw new RegistryError('credentials-failed', `Cannot keep the credentials for "${domain}": docker-credential-${helper} says: ${output.trim()}, expected it to store them`);
    changeConfig(path, (config) => ({ ...config, auths: { ...config.auths, [key]: {} } }));
    return `docker-credential-${helper}`;
  }
  changeConfig(path, (config) => ({ ...config, auths: { ...config.auths, [key]: { auth: Buffer.from(`${username}:${password}`).toString('base64') } } }));
  return path;
}

/** Whether there were any. */
export async function eraseCredentials(domain: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const path = findConfigPath(env);
  const key = keyOf(domain);
  const config = readConfig(path);
  const helper = helperOf(config, key);
  if (helper !== undefined) await callHelper(helper, 'erase', key, env);
  if (config.auths?.[key] === undefined) return helper !== undefined;
  changeConfig(path, ({ auths, ...rest }) => ({ ...rest, auths: Object.fromEntries(Object.entries(auths ?? {}).filter(([name]) => name !== key)) }));
  return true;
}
