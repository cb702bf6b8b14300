/**
 * RUN --mount=type=…: its options. Owns: parsing and checking ("Dockerfile reference", RUN --mount). Rules: fields are comma-separated, quoted as CSV (RFC
 * 4180) where a value has a comma; names have the aliases that Docker's have; what is not supported is an error, never left out silently.
 */
import { expectOneOf } from '../dockerfile/index.ts';

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';

export interface Mount {
  readonly type: MountType;
  /** As written; secret, ssh: may be left out. */
  readonly target: string | undefined;
  readonly source: string;
  /** bind: a stage, image or nothing for the context; cache: what the cache begins with. */
  readonly from: string | undefined;
  readonly id: string | undefined;
  readonly isReadOnly: boolean;
  readonly mode: number | undefined;
  readonly uid: number;
  readonly gid: number;
  /** cache: other builds wait. */
  readonly isLocked: boolean;
  readonly isRequired: boolean;
  /** secret: name of the environment variable that gets it. */
  readonly env: string | undefined;
  /** tmpfs: bytes. */
  readonly size: number | undefined;
}

export class MountProblem extends Error {}

const TYPES: readonly string[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const ALIASES: Record<string, string> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly', rw: 'readwrite' };
export const MOUNT_OPTIONS: Record<MountType, readonly string[]> = {
  bind: ['type', 'target', 'source', 'from', 'readwrite', 'readonly'],
  cache: ['type', 'target', 'id', 'readonly', 'readwrite', 'sharing', 'from', 'source', 'mode', 'uid', 'gid'],
  tmpfs: ['type', 'target', 'size'],
  secret: ['type', 'id', 'target', 'source', 'required', 'mode', 'uid', 'gid', 'env'],
  ssh: ['type', 'id', 'target', 'required', 'mode', 'uid', 'gid'],
};
const SHARING = ['shared', 'private', 'locked'];
const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function splitFields(text: string): string[] {
  const fields: string[] = [];
  for (const [, quoted, plain] of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) fields.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
  return fields;
}

export function parseMount(text: string): Mount {
  const found = new Map<string, string>();
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    const name = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    const key = ALIASES[name] ?? name;
    if (found.has(key)) throw new MountProblem(`"${name}" twice in the mount, expected it once`);
    found.set(key, equals < 0 ? 'true' : field.slice(equals + 1));
  }
  const type = (found.get('type') ?? 'bind').toLowerCase();
  if (!TYPES.includes(type)) throw new MountProblem(`mount type "${type}", ${expectOneOf(type, TYPES)}`);
  const keys = MOUNT_OPTIONS[type as MountType];
  for (const key of found.keys()) if (!keys.includes(key)) throw new MountProblem(`unknown option "${key}" of a ${type} mount, ${expectOneOf(key, keys)}`);
  const readNumber = (key: string, radix: number): number | undefined => {
    const value = found.get(key);
    if (value === undefined) return undefined;
    if (!(radix === 8 ? /^[0-7]{1,5}$/ : /^\d{1,10}$/).test(value)) throw new MountProblem(`"${key}=${value}" of a mount, expected ${radix === 8 ? 'an octal mode' : 'a number'}`);
    return Number.parseInt(value, radix);
  };
  const readSwitch = (key: string): boolean | undefined => {
    const value = found.get(key)?.toLowerCase();
    if (value !== undefined && !['true', 'false', '1', '0'].includes(value)) throw new MountProblem(`"${key}=${value}" of a mount, expected true or false`);
    return value === undefined ? undefined : value === 'true' || value === '1';
  };
  const sharing = found.get('sharing') ?? 'shared';
  if (!SHARING.includes(sharing)) throw new MountProblem(`"sharing=${sharing}" of a cache mount, ${expectOneOf(sharing, SHARING)}`);
  const target = found.get('target');
  if (target === undefined && type !== 'secret' && type !== 'ssh') throw new MountProblem(`a ${type} mount without a target, expected target=PATH`);
  if (type === 'secret' && !found.has('id') && !found.has('source') && target === undefined) throw new MountProblem('a secret mount without an id, expected id=NAME');
  if (type === 'cache' && found.has('source') && !found.has('from')) throw new MountProblem('"source" of a cache mount without "from", expected from=STAGE or from=IMAGE');
  const writable = readSwitch('readwrite') ?? (found.has('readonly') ? !readSwitch('readonly') : undefined);
  return {
    type: type as MountType,
    target,
    source: found.get('source') ?? '',
    from: found.get('from'),
    id: found.get('id'),
    isReadOnly: type === 'bind' ? writable !== true : writable === false,
    mode: readNumber('mode', 8),
    uid: readNumber('uid', 10) ?? 0,
    gid: readNumber('gid', 10) ?? 0,
    isLocked: sharing !== 'shared',
    isRequired: readSwitch('required') ?? false,
    env: found.get('env'),
    size: parseSize(found.get('size')),
  };
}

function parseSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+)([bkmg]?)b?$/i.exec(text) ?? [];
  if (number === undefined) throw new MountProblem(`"size=${text}" of a mount, expected such as 64m`);
  return Number(number) * (UNITS[(unit ?? '').toLowerCase()] as number);
}
