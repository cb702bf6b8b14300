/**
 * `hull build`'s options -> what a build needs. Owns: their checks and meanings (docker buildx build's, where it has the option). Rules: everything is checked
 * before anything is built; names of options are those that were typed.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunNetwork, Secret } from '../../images/build/index.ts';
import { formatPlatform, HOST_PLATFORM, parsePlatform, parseReference, type Platform, type Reference, withDefaultTag } from '../../images/store/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';

export interface BuildRequest {
  /** A directory, a git repository, "-" for an archive on stdin, or nothing with a Dockerfile on stdin. */
  readonly context: string;
  readonly file: string | undefined;
  readonly tags: readonly string[];
  readonly buildArgs: readonly string[];
  readonly labels: readonly string[];
  readonly contexts: readonly string[];
  readonly secrets: readonly string[];
  readonly ssh: readonly string[];
  readonly outputs: readonly string[];
  readonly target: string | undefined;
  readonly noCache: boolean;
  /** Ask registries for what FROM names, also when it is here. */
  readonly pulls: boolean;
  readonly progress: string;
  readonly isQuiet: boolean;
  /** One, or several with commas between. */
  readonly platform: string | undefined;
  readonly network: string | undefined;
  readonly iidFile: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

export type Output = { readonly kind: 'image' } | { readonly kind: 'local'; readonly path: string } | { readonly kind: 'tar'; /** "-": stdout. */ readonly path: string };

export interface CheckedRequest {
  readonly tags: readonly Reference[];
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly contexts: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly agents: ReadonlyMap<string, string>;
  readonly outputs: readonly Output[];
  /** Each once; several make an index. */
  readonly platforms: readonly Platform[];
  readonly network: RunNetwork;
  /** s since 1970. */
  readonly epoch: number | undefined;
}

const NETWORKS: readonly string[] = ['default', 'none', 'host'];

const refuse = (option: string, value: string, what: string, expected: string, cause?: unknown) =>
  new EngineError('option-invalid', `Cannot use "${value}" for --${option}: ${what}, expected ${expected}`, { cause });

function splitPair(option: string, text: string): [string, string | undefined] {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '') throw refuse(option, text, 'no name', 'NAME=VALUE');
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function readFields(option: string, text: string, known: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const part of text.split(',')) {
    const [name, value] = splitPair(option, part);
    if (!known.includes(name)) throw refuse(option, text, `it has "${name}"`, `fields of ${known.join(', ')}`);
    fields.set(name, value ?? 'true');
  }
  return fields;
}

function readSecret(text: string, env: NodeJS.ProcessEnv): [string, Secret] {
  const fields = readFields('secret', text, ['id', 'src', 'source', 'env', 'type']);
  const id = fields.get('id');
  if (id === undefined) throw refuse('secret', text, 'it has no id', 'id=NAME,src=FILE or id=NAME,env=VARIABLE');
  const source = fields.get('src') ?? fields.get('source');
  const variable = fields.get('env') ?? (source === undefined ? id : undefined);
  if (variable !== undefined && (fields.get('type') === 'env' || source === undefined)) {
    const value = env[source ?? variable];
    if (value === undefined) throw refuse('secret', text, `the variable ${source ?? variable} is not set`, 'one that is, or src=FILE');
    return [id, { bytes: Buffer.from(value) }];
  }
  try {
    return [id, { bytes: readFileSync(source as string) }];
  } catch (error) {
    throw refuse('secret', text, describeSystemError(error), 'a readable file', error);
  }
}

/** ID or ID=SOCKET; without a socket it is the user's own agent. */
function readAgent(text: string, env: NodeJS.ProcessEnv): [string, string] {
  const [id, value] = splitPair('ssh', text);
  const socket = value ?? env['SSH_AUTH_SOCK'];
  if (socket === undefined || socket === '') throw refuse('ssh', text, 'SSH_AUTH_SOCK is not set', `a running ssh-agent, or ${id}=SOCKET`);
  if (statSync(socket, { throwIfNoEntry: false })?.isSocket() !== true) throw refuse('ssh', text, `"${socket}" is no socket`, "an agent's socket; ssh-add gives a key to an agent");
  return [id, resolve(socket)];
}

function readOutput(text: string): Output {
  if (text === '-') return { kind: 'tar', path: '-' };
  if (!text.includes('=')) return { kind: 'local', path: resolve(text) };
  const fields = readFields('output', text, ['type', 'dest', 'name']);
  const type = fields.get('type');
  const dest = fields.get('dest');
  if (type === 'image' || type === 'docker-image') return { kind: 'image' };
  if (type !== 'local' && type !== 'tar') throw refuse('output', text, `its type is ${type ?? 'not given'}`, 'type=image, type=local or type=tar; hull save writes archives of images');
  if (dest === undefined || dest === '') throw refuse('output', text, 'it has no destination', `type=${type},dest=PATH`);
  return { kind: type, path: dest === '-' ? '-' : resolve(dest) };
}

function readPlatforms(text: string): Platform[] {
  const platforms = text.split(',').map((each) => {
    if (each.trim() === '') throw refuse('platform', text, 'one of its platforms is empty', 'such as linux/amd64,linux/arm64');
    return parsePlatform(each.trim());
  });
  const names = platforms.map(formatPlatform);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw refuse('platform', text, `${twice} is there twice`, 'each platform once');
  return platforms;
}

export function checkRequest(request: BuildRequest): CheckedRequest {
  const { env } = request;
  const buildArgs = new Map<string, string>();
  for (const text of request.buildArgs) {
    const [name, value] = splitPair('build-arg', text);
    // Without a value it is passed on, if it is set.
    const known = value ?? env[name];
    if (known !== undefined) buildArgs.set(name, known);
  }
  const epochText = buildArgs.get('SOURCE_DATE_EPOCH') ?? env['SOURCE_DATE_EPOCH'];
  if (epochText !== undefined && epochText !== '' && !/^\d{1,11}$/.test(epochText)) throw refuse('build-arg', `SOURCE_DATE_EPOCH=${epochText}`, 'not a number of seconds', 'seconds since 1970');
  const network = request.network ?? 'default';
  if (!NETWORKS.includes(network)) throw refuse('network', network, 'no such network of a build', NETWORKS.join(', '));
  return {
    tags: request.tags.map((text) => withDefaultTag(parseReference(text))),
    buildArgs,
    labels: new Map(request.labels.map((text) => splitPair('label', text)).map(([name, value]) => [name, value ?? ''] as const)),
    contexts: new Map(
      request.contexts.map((text) => {
        const [name, value] = splitPair('build-context', text);
        if (value === undefined) throw refuse('build-context', text, 'no directory', 'NAME=DIRECTORY');
        return [name.toLowerCase(), value] as const;
      }),
    ),
    secrets: new Map(request.secrets.map((text) => readSecret(text, env))),
    agents: new Map(request.ssh.map((text) => readAgent(text, env))),
    outputs: request.outputs.map(readOutput),
    platforms: request.platform === undefined ? [HOST_PLATFORM] : readPlatforms(request.platform),
    network: network as RunNetwork,
    epoch: epochText === undefined || epochText === '' ? undefined : Number(epochText),
  };
}
