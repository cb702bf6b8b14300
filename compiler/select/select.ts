/**
 * System calls -> components, closed over what each requires.
 *
 * Owns: the choice of roots, and why each component is a candidate. The linker's marking has the final word on what gets in: a component that
 * nothing reaches stays out, so being selected here costs nothing by itself.
 * Rules: an unknown call means every component of that kind of image. Leaving out what is required is an error; leaving out what
 * only calls asked for makes these calls absent (they answer ENOSYS), and that is the user's choice.
 */
import { CompilerError } from '../error.ts';
import type { Component } from './manifests.ts';
import { type CallMachine, syscallName } from './syscall-names.ts';

export type ImageKind = 'binary' | 'linked';

export type SelectRequest = {
  kind: ImageKind;
  /** Whose numbers `calls` has; absent: x86-64. */
  machine?: CallMachine;
  components: readonly Component[];
  /** Binary: numbers that the program can make, each with a place; "all" when any call must be expected. Linked: none, the linker sees them. */
  calls: ReadonlyMap<number, string> | 'all';
  /** What the program can open, when that is known. */
  openedPaths?: readonly string[];
  /** AF_* of the sockets that the program can make, when that is known. */
  socketFamilies?: readonly number[];
  /** Components to add, and to leave out. */
  add?: readonly string[];
  leaveOut?: readonly string[];
  /** How the machine is talked to; the default depends on the kind. */
  drivers?: readonly string[];
};

/** Why a component is selected: for an option, as part of every image of the kind, for a call, or because another needs it. */
export type Why =
  | { kind: 'option' }
  | { kind: 'profile'; text: string }
  | { kind: 'call'; call: string; place: string }
  | { kind: 'required'; by: string }
  | { kind: 'unknown' };

export type Selection = {
  /** Needed in any case: the linker takes them as roots. */
  activate: string[];
  /** What the calls ask for, with what that requires, roots included. */
  candidates: string[];
  /** Left out by option, unable to be without what was, incomplete, or of the other kind: must not get in. */
  excluded: string[];
  /** Names for the system-call table. */
  calls: string[] | 'all';
  why: Map<string, Why>;
  /** Calls that the program can make and no candidate has. */
  missing: { number: number; name: string; place: string; component: string | undefined }[];
};

/** What every image of a kind needs, and why. Drivers can be replaced by option. */
const profiles: Record<ImageKind, { always: [name: string, text: string][]; drivers: string[] }> = {
  binary: {
    always: [
      ['init', 'starts the machine and ends it'],
      ['arch', 'boots the processor and takes its traps'],
      ['exec', 'starts the program'],
      ['vm', 'is the memory of the program'],
      ['channel', 'carries output and exit status'],
    ],
    drivers: ['virtio-console', 'virtio-mmio', 'virtio-pci'],
  },
  linked: {
    always: [
      ['init', 'starts the machine and ends it'],
      ['arch', 'boots the processor and takes its traps'],
      ['linked', 'starts the program'],
      ['channel', 'carries output and exit status'],
    ],
    drivers: ['uart-16550'],
  },
};

const serialPorts = ['uart-16550', 'uart-pl011'];

/** The kind's drivers, of which the first carries the channel; where the libOS lacks that one, a serial port: which chip it is depends on the instruction set. */
function findOwnDrivers(profile: readonly string[], usable: ReadonlyMap<string, Component>): readonly string[] {
  if (usable.has(profile[0] as string)) return profile.filter((name) => usable.has(name));
  const port = serialPorts.find((name) => usable.has(name));
  return port === undefined ? profile : [port];
}

export function selectComponents(request: SelectRequest): Selection {
  const { kind } = request;
  const leaveOut = new Set(request.leaveOut ?? []);
  const all = new Map(request.components.map((component) => [component.name, component]));
  const ofKind = new Map([...all].filter(([, { programs }]) => programs === undefined || programs === kind));
  // A component that requires what this libOS has not cannot be used.
  const incomplete = findBlocked(ofKind, findAbsent(ofKind));
  const usable = new Map([...ofKind].filter(([name]) => !incomplete.has(name)));
  checkNames(all, [...(request.add ?? []), ...leaveOut, ...(request.drivers ?? [])]);
  const why = new Map<string, Why>();

  // Roots: the profile, its drivers, options. After this: everything that the image must have.
  const profile = profiles[kind];
  const activate = new Set<string>();
  const root = (name: string, reason: Why) => {
    if (!usable.has(name)) {
      const absent = ofKind.get(name)?.requires.filter((item) => !usable.has(item)) ?? [];
      const what = absent.length > 0 ? `it requires ${absent.join(', ')}, which cannot be used` : 'this libOS has no such component';
      throw new CompilerError('missing-component', `Cannot select "${name}": ${what}, expected it for ${kind} images`);
    }
    activate.add(name);
    if (!why.has(name)) why.set(name, reason);
  };
  for (const [name, text] of profile.always) root(name, { kind: 'profile', text });
  const own = findOwnDrivers(profile.drivers, usable);
  const drivers = request.drivers ?? own.filter((name) => !leaveOut.has(name));
  for (const name of drivers) root(name, { kind: 'profile', text: 'drives the channel' });
  for (const name of request.add ?? []) root(name, { kind: 'option' });
  const answering = findAnswering(request, usable, leaveOut);
  for (const [name, reason] of [...answering, ...findOpened(request, usable, leaveOut)]) root(name, reason);
  /** What they cannot answer they pass on as the call. */
  const made = [...answering.keys()].flatMap((name) => usable.get(name)?.answers ?? []);
  if (drivers.length === 0) {
    throw new CompilerError('required-component', 'Cannot leave out all drivers: nothing would carry the output, expected one');
  }
  const required = new Map<string, Why>();
  close(usable, activate, required);
  for (const [name, reason] of required) if (!why.has(name)) why.set(name, reason);
  for (const name of leaveOut) {
    if (activate.has(name) || required.has(name)) throw leftOutButRequired(name, why);
  }

  // Candidates: what calls ask for. After this: closed over requirements, and nothing that is left out.
  const candidates = new Set([...activate, ...required.keys()]);
  const missing: Selection['missing'] = [];
  const instead = findInstead(request, usable, candidates);
  const blocked = findBlocked(usable, new Set([...leaveOut, ...instead.keys()]));
  for (const { name, instead: offer } of usable.values()) if (offer && instead.get(offer.component) !== name) blocked.add(name);
  for (const name of findUnneeded(request, usable)) if (!candidates.has(name)) blocked.add(name);
  if (kind === 'linked' || request.calls === 'all') {
    for (const name of usable.keys()) {
      if (blocked.has(name)) continue;
      candidates.add(name);
      if (kind === 'binary' && !why.has(name)) why.set(name, { kind: 'unknown' });
    }
  }
  if (request.calls !== 'all') {
    for (const [number, place] of request.calls) {
      const call = syscallName(number, request.machine);
      if (call === undefined) continue;
      const first = [...usable.values()].find(({ syscalls }) => Object.hasOwn(syscalls, call));
      const owner = (first && usable.get(instead.get(first.name) ?? '')) ?? first;
      if (!owner || blocked.has(owner.name)) {
        missing.push({ number, name: call, place, component: owner?.name });
        continue;
      }
      candidates.add(owner.name);
      if (!why.has(owner.name)) why.set(owner.name, { kind: 'call', call, place });
      const more = new Map<string, Why>();
      close(usable, new Set([owner.name]), more);
      for (const [name, reason] of more) {
        candidates.add(name);
        if (!why.has(name)) why.set(name, reason);
      }
    }
  }
  // What joins a candidate is one, too.
  for (const { name, joins } of usable.values()) {
    if (!joins || blocked.has(name) || candidates.has(name) || !candidates.has(joins.component)) continue;
    candidates.add(name);
    why.set(name, { kind: 'required', by: joins.component });
    const more = new Map<string, Why>();
    close(usable, new Set([name]), more);
    for (const [other, reason] of more) {
      candidates.add(other);
      if (!why.has(other)) why.set(other, reason);
    }
  }
  const calls =
    request.calls === 'all'
      ? ('all' as const)
      : [...new Set([...request.calls.keys()].flatMap((number) => syscallName(number, request.machine) ?? []).concat(made))].sort();
  return { activate: [...activate], candidates: [...candidates].sort(), excluded: [...blocked, ...[...all.keys()].filter((name) => !usable.has(name))].sort(), calls, why, missing };
}

/** The chain from a component to its root, as one line for people. */
export function explainComponent(selection: Pick<Selection, 'why'>, name: string): string {
  const parts: string[] = [];
  const seen = new Set<string>();
  for (let at = name; !seen.has(at); ) {
    seen.add(at);
    const reason = selection.why.get(at);
    if (!reason) return parts.join(', ');
    if (reason.kind === 'required') {
      parts.push(`required by ${reason.by}`);
      at = reason.by;
      continue;
    }
    if (reason.kind === 'option') parts.push('asked for by option');
    else if (reason.kind === 'profile') parts.push(reason.text);
    else if (reason.kind === 'unknown') parts.push('the program may make any call');
    else parts.push(`call ${reason.call} made at ${reason.place}`);
    break;
  }
  return parts.join(', ');
}

function close(components: Map<string, Component>, roots: ReadonlySet<string>, into: Map<string, Why>): void {
  const work = [...roots];
  for (let name = work.pop(); name !== undefined; name = work.pop()) {
    for (const required of components.get(name)?.requires ?? []) {
      if (roots.has(required) || into.has(required)) continue;
      into.set(required, { kind: 'required', by: name });
      work.push(required);
    }
  }
}

/** Components that answer a call before it is made, for which no mark of the linker could tell that they are wanted. */
function findAnswering(request: SelectRequest, usable: Map<string, Component>, leaveOut: ReadonlySet<string>): Map<string, Why> {
  const found = new Map<string, Why>();
  const { calls } = request;
  const blocked = findBlocked(usable, leaveOut);
  if (request.kind !== 'binary') return found;
  for (const { name, answers } of usable.values()) {
    if (answers.length === 0 || blocked.has(name)) continue;
    if (calls === 'all') {
      found.set(name, { kind: 'unknown' });
      continue;
    }
    for (const [number, place] of calls) {
      const call = syscallName(number, request.machine);
      if (call === undefined || !answers.includes(call) || found.has(name)) continue;
      found.set(name, { kind: 'call', call, place });
    }
  }
  return found;
}

/**
 * Components whose files no call names: they are there when the program can make a call with a path (one of the file system's component, which they
 * require), and what it can open is unknown or lies where their files are.
 */
function findOpened(request: SelectRequest, usable: Map<string, Component>, leaveOut: ReadonlySet<string>): Map<string, Why> {
  const found = new Map<string, Why>();
  const { calls, openedPaths } = request;
  const blocked = findBlocked(usable, leaveOut);
  const withPaths = new Set(Object.keys(usable.get('vfs')?.syscalls ?? {}));
  if (request.kind !== 'binary') return found;
  for (const { name, opened } of usable.values()) {
    if (opened.length === 0 || blocked.has(name)) continue;
    if (calls === 'all') {
      found.set(name, { kind: 'unknown' });
      continue;
    }
    if (openedPaths && !openedPaths.some((path) => opened.some((place) => path === place || path.startsWith(`${place}/`)))) continue;
    for (const [number, place] of calls) {
      const call = syscallName(number, request.machine);
      if (call === undefined || !withPaths.has(call) || found.has(name)) continue;
      found.set(name, { kind: 'call', call, place });
    }
  }
  return found;
}

/**
 * Components for which a smaller one does, and which: the program opens only paths that the smaller one has, makes no other call of the
 * larger one or of what requires it, and nothing else asked for these.
 */
function findInstead(request: SelectRequest, usable: Map<string, Component>, chosen: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  const { calls, openedPaths } = request;
  if (calls === 'all' || openedPaths === undefined) return found;
  for (const { name, instead } of usable.values()) {
    if (!instead || found.has(instead.component) || (request.leaveOut ?? []).includes(name)) continue;
    if (!openedPaths.every((path) => instead.paths.includes(path))) continue;
    const replaced = findBlocked(usable, new Set([instead.component]));
    if (replaced.has(name) || [...replaced].some((item) => chosen.has(item))) continue;
    const theirs = new Set([...replaced].flatMap((item) => Object.keys(usable.get(item)?.syscalls ?? {})));
    const needed = [...calls.keys()].flatMap((number) => syscallName(number, request.machine) ?? []).filter((call) => theirs.has(call));
    if (needed.length > 0 && needed.every((call) => instead.calls.includes(call))) found.set(instead.component, name);
  }
  return found;
}

/** Families of sockets that the program never makes. */
function findUnneeded({ socketFamilies }: SelectRequest, usable: Map<string, Component>): string[] {
  if (socketFamilies === undefined) return [];
  return [...usable.values()].flatMap(({ name, joins }) => (joins?.families && !joins.families.some((family) => socketFamilies.includes(family)) ? [name] : []));
}

/** Names that are required and not there. */
function findAbsent(components: Map<string, Component>): Set<string> {
  const required = [...components.values()].flatMap(({ requires }) => requires);
  return new Set(required.filter((name) => !components.has(name)));
}

/** Components that are left out, and those that cannot be without them. */
function findBlocked(components: Map<string, Component>, leaveOut: ReadonlySet<string>): Set<string> {
  const blocked = new Set(leaveOut);
  for (let before = -1; before !== blocked.size; ) {
    before = blocked.size;
    for (const { name, requires } of components.values()) if (requires.some((item) => blocked.has(item))) blocked.add(name);
  }
  return blocked;
}

function checkNames(components: Map<string, Component>, names: readonly string[]): void {
  for (const name of names) {
    if (components.has(name)) continue;
    const known = [...components.keys()].sort().join(', ');
    throw new CompilerError('unknown-component', `Cannot select "${name}": no such component, expected one of ${known}`);
  }
}

function leftOutButRequired(name: string, why: Map<string, Why>): CompilerError {
  const reason = explainComponent({ why }, name);
  return new CompilerError('required-component', `Cannot leave out "${name}": it is needed (${reason}), expected a component that is not`);
}
