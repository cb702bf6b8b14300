/**
 * component.json: what a component says of itself.
 *
 * Owns: reading and checking manifests. What holds after: every field has its type, every system call that is named exists,
 * names are unique, and each call has one component. A component whose requirements are not all there is selection's matter.
 */
import { CompilerError } from '../error.ts';
import { syscallNumber } from './syscall-names.ts';

export type Component = {
  name: string;
  summary: string;
  requires: string[];
  /** Call name -> "full" or "partial: what is missing". */
  syscalls: Record<string, string>;
  soft: string[];
  drivers: string[];
  filesystems: string[];
  proc: string[];
  /** Opening a path leads to it: it is in every image with a root file system. */
  byPath: boolean;
  /** Calls that it answers before they are made: in a binary image whose program can make one of them, it is there. */
  answers: string[];
  /** Where its files lie: in a binary image whose program can open a path there, it is there. */
  opened: string[];
  /** Comes along where `component` is in the image: unless the program is known to make sockets of other families only (numbers, AF_*). */
  joins?: { component: string; families?: number[] };
  /** Only in images of this kind; both when absent. */
  programs?: 'binary' | 'linked';
  /** Takes these calls over from `component` when the program can open these paths only, and needs nothing else of it. */
  instead?: { component: string; calls: string[]; paths: string[] };
};

/** Checks what components.json (or several component.json) held. `where` is for messages. */
export function readManifests(values: unknown, where: string): Component[] {
  const fail = (what: string, expected: string) =>
    new CompilerError('bad-manifest', `Cannot read components of "${where}": ${what}, expected ${expected}`);
  if (!Array.isArray(values)) throw fail('the file holds no list', 'a list of manifests');
  const components: Component[] = [];
  const owners = new Map<string, string>();
  for (const value of values as unknown[]) {
    if (typeof value !== 'object' || value === null) throw fail('an entry is no object', 'a manifest');
    const fields = value as Record<string, unknown>;
    const { name } = fields;
    if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]*$/.test(name)) {
      throw fail(`an entry is named ${JSON.stringify(name)}`, 'lower-case letters, digits and hyphens');
    }
    const list = (field: string): string[] => {
      const found = fields[field] ?? [];
      if (Array.isArray(found) && found.every((item) => typeof item === 'string')) return found as string[];
      throw fail(`"${field}" of ${name} is no list of names`, 'a list of names');
    };
    const syscalls = (fields['syscalls'] ?? {}) as Record<string, string>;
    if (typeof syscalls !== 'object' || Array.isArray(syscalls)) throw fail(`"syscalls" of ${name} is no object`, 'call: level');
    const { programs } = fields;
    if (programs !== undefined && programs !== 'binary' && programs !== 'linked') {
      throw fail(`"programs" of ${name} is ${JSON.stringify(programs)}`, '"binary" or "linked"');
    }
    const instead = readInstead(fields['instead']);
    if (instead === null) throw fail(`"instead" of ${name} is ${JSON.stringify(fields['instead'])}`, 'component, calls and paths');
    const joins = readJoins(fields['joins']);
    if (joins === null) throw fail(`"joins" of ${name} is ${JSON.stringify(fields['joins'])}`, 'component and families');
    if (components.some((other) => other.name === name)) throw fail(`${name} is there twice`, 'unique names');
    components.push({
      name,
      summary: typeof fields['summary'] === 'string' ? fields['summary'] : '',
      requires: list('requires'),
      syscalls,
      soft: list('soft'),
      drivers: list('drivers'),
      filesystems: list('filesystems'),
      proc: list('proc'),
      byPath: fields['byPath'] === true || list('filesystems').length > 0 || list('proc').length > 0,
      answers: list('answers'),
      opened: list('opened'),
      ...(programs === undefined ? {} : { programs }),
      ...(instead === undefined ? {} : { instead }),
      ...(joins === undefined ? {} : { joins }),
    });
  }
  for (const component of components) {
    for (const call of component.answers) {
      if (syscallNumber(call) === undefined) throw fail(`${component.name} answers the call ${call}`, 'a Linux x86-64 system call');
    }
    for (const [call, level] of Object.entries(component.syscalls)) {
      if (syscallNumber(call) === undefined) throw fail(`${component.name} names the call ${call}`, 'a Linux x86-64 system call');
      if (level !== 'full' && !(typeof level === 'string' && level.startsWith('partial: '))) {
        throw fail(`${component.name} has ${call} as ${JSON.stringify(level)}`, '"full" or "partial: what is missing"');
      }
      const key = `${call}:${component.programs ?? ''}`;
      const other = owners.get(key);
      if (other !== undefined) throw fail(`${other} and ${component.name} both have ${call}`, 'one component a call');
      owners.set(key, component.name);
    }
  }
  return components;
}

/** Null: not what it should be. */
function readJoins(value: unknown): Component['joins'] | null | undefined {
  if (value === undefined) return undefined;
  const { component, families } = (value ?? {}) as Record<string, unknown>;
  if (typeof component !== 'string') return null;
  if (families === undefined) return { component };
  const isList = Array.isArray(families) && families.length > 0 && families.every((item) => Number.isInteger(item));
  return isList ? { component, families: families as number[] } : null;
}

/** Null: not what it should be. */
function readInstead(value: unknown): Component['instead'] | null | undefined {
  if (value === undefined) return undefined;
  const { component, calls, paths } = (value ?? {}) as Record<string, unknown>;
  const isList = (list: unknown): list is string[] => Array.isArray(list) && list.length > 0 && list.every((item) => typeof item === 'string');
  return typeof component === 'string' && isList(calls) && isList(paths) ? { component, calls, paths } : null;
}
