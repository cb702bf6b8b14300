/**
 * Which system calls can a program of a root file system make, with all that its loader brings in?
 *
 * Owns: the set of files that can come into the program's memory, and what its names lead to in them. Rules, all to the same end, that nothing is missed:
 * - a needed library counts in every place where a loader could find it: run paths, ld.so.conf, the cache, the default folders, hwcaps folders;
 * - a name leads to every function that has it, in whichever library and version;
 * - a library that is loaded later, or is a plug-in of the C library, counts with all of its functions;
 * - a program that can execute another one, load what has no constant name, or make code while it runs, may make any call.
 * Files come in through an interface, since the tree's owner is above; summaries do, since they are worth keeping.
 */
import { posix } from 'node:path';
import { type AnalysisIsa, findImpliedCalls } from '../arch/analysis-isa.ts';
import { isElf } from '../elf/index.ts';
import { analyzeExecutable } from './index.ts';
import { describeExecutable } from './executable.ts';
import { isas } from './isas.ts';
import type { Effect, ObjectSummary } from './summary.ts';

export interface RootFiles {
  /** A file's bytes, links followed inside the root; undefined when there is no such file. */
  read(path: string): Uint8Array | undefined;
  /** The names in a folder; none when there is no such folder. */
  list(folder: string): string[];
}

export interface Summarizer {
  summarize(bytes: Uint8Array, path: string, whole: boolean): ObjectSummary;
  /** Many files as one, each counted whole. */
  summarizeGroup(files: readonly { path: string; bytes: Uint8Array }[]): ObjectSummary;
}

export type ClosureRequest = {
  program: string;
  files: RootFiles;
  summarizer: Summarizer;
  /** Names of the variables that the program starts with. */
  environment: readonly string[];
  /** All reasons, where the first would do. */
  isComplete?: boolean;
};

export type Closure = {
  /** Of the program; x86-64 where there is none. */
  machine: 'x86_64' | 'aarch64';
  /** Call number -> the function that makes it, and how the program gets there. */
  calls: Map<number, string>;
  /** Why the program may make any call; none: it makes those in `calls` only. */
  doubts: string[];
  objects: { path: string; why: string }[];
};

const executingCalls = ['execve', 'execveat'];
const mostScripts = 4;
/** Variables by which a loader brings in more, or the C library finds its plug-ins elsewhere. */
const loaderVariables = /^(LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH|LD_PROFILE|GCONV_PATH|GETCONF_DIR)$/;
const defaultFoldersOf = ({ loader }: AnalysisIsa) => [`/lib/${loader.triple}`, `/usr/lib/${loader.triple}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib', '/usr/local/lib'];

type Loaded = {
  path: string;
  folder: string;
  summary: ObjectSummary;
  why: string;
  isInterpreter: boolean;
  /** Its names, when it is a group of plug-ins: what is missing for one of them keeps that one out. */
  members: ReadonlySet<string> | undefined;
  /** Effects that can happen -> how. */
  seen: Map<number, string>;
};

export function analyzeClosure(request: ClosureRequest): Closure {
  const { files } = request;
  const closure: Closure = { machine: 'x86_64', calls: new Map(), doubts: [], objects: [] };
  let path = request.program;
  let bytes = files.read(path);
  for (let depth = 0; bytes && bytes[0] === 0x23 && bytes[1] === 0x21; depth++) {
    const line = Buffer.from(bytes.subarray(2, 258)).toString('latin1').split('\n', 1)[0] as string;
    const interpreter = line.trim().split(/[ \t]/, 1)[0] as string;
    if (depth === mostScripts || !interpreter.startsWith('/')) break;
    closure.objects.push({ path, why: 'the program, a script' });
    path = interpreter;
    bytes = files.read(path);
  }
  if (!bytes || !isElf(bytes)) {
    closure.doubts.push(`${path} is not there, or no program`);
    return closure;
  }
  const machine = machineOf(bytes);
  const isa = Object.values(isas).find(({ elfMachine }) => elfMachine === machine) ?? isas.x86_64;
  closure.machine = isa.name;
  for (const name of request.environment) if (loaderVariables.test(name)) closure.doubts.push(`${name} is set`);
  if (files.read('/etc/ld.so.preload')?.length) closure.doubts.push('/etc/ld.so.preload names libraries');
  const isDone = () => closure.doubts.length > 0 && !request.isComplete;
  if (isDone()) return closure;
  try {
    new Resolver(request, closure, isa, isDone).resolve(path, bytes);
  } catch (error) {
    // A file that cannot be read as it should: its calls are not known.
    closure.doubts.push(error instanceof Error ? error.message : String(error));
  }
  for (const [number, cause] of findImpliedCalls(isa, (each) => closure.calls.has(each))) {
    if (!closure.calls.has(number)) closure.calls.set(number, closure.calls.get(cause) as string);
  }
  return closure;
}

class Resolver {
  #isa: AnalysisIsa;
  #defaultFolders: readonly string[];
  #execCalls: readonly number[];
  #request: ClosureRequest;
  #closure: Closure;
  #isDone: () => boolean;
  #loaded: Loaded[] = [];
  #byContent = new Map<string, Loaded>();
  #folders: string[] | undefined;
  /** Names that are asked for -> by whom. */
  #names = new Map<string, string>();
  #strings = new Set<string>();

  constructor(request: ClosureRequest, closure: Closure, isa: AnalysisIsa, isDone: () => boolean) {
    this.#isa = isa;
    this.#defaultFolders = defaultFoldersOf(isa);
    this.#execCalls = executingCalls.flatMap((name) => isa.syscallNumber(name) ?? []);
    this.#request = request;
    this.#closure = closure;
    this.#isDone = isDone;
  }

  resolve(path: string, bytes: Uint8Array): void {
    const { summarizer, files } = this.#request;
    const program = summarizer.summarize(bytes, path, false);
    if (program.interpreter === undefined) {
      this.#resolveStatic(path, bytes);
      return;
    }
    const first = this.#add(path, program, 'the program');
    this.#use(first, program.root, 'the program');
    if (this.#isDone()) return;
    // The loader. Where it is the C library as well, it is looked at as a library.
    const loader = files.read(program.interpreter);
    if (!loader) {
      this.#doubt(`its interpreter ${program.interpreter} is not there`);
      return;
    }
    const isLibc = posix.basename(program.interpreter).startsWith('ld-musl');
    const interpreter = this.#add(program.interpreter, summarizer.summarize(loader, program.interpreter, !isLibc), 'the interpreter of the program');
    interpreter.isInterpreter = !isLibc;
    this.#use(interpreter, interpreter.summary.root, 'the loader');
    this.#load(first);
    this.#settle();
  }

  #resolveStatic(path: string, bytes: Uint8Array): void {
    const analysis = analyzeExecutable(describeExecutable(bytes, path));
    this.#closure.objects.push({ path, why: 'the program, static' });
    for (const [number, [site]] of analysis.known) this.#closure.calls.set(number, site?.originFunction ?? site?.function ?? `0x${site?.origin.toString(16)}`);
    for (const site of analysis.unknown) this.#doubt(`the number of a system call is not known: ${site.reasons[0] ?? ''}, in ${site.function ?? `0x${site.address.toString(16)}`}`);
    if (analysis.mayExecute) this.#doubt('it can execute other programs');
    for (const { reason, function: place } of analysis.mayGenerateCode) this.#doubt(`it ${reason}${place ? `, in ${place}` : ''}: code can come later`);
  }

  #doubt(text: string): void {
    if (!this.#closure.doubts.includes(text)) this.#closure.doubts.push(text);
  }

  #add(path: string, summary: ObjectSummary, why: string): Loaded {
    const loaded: Loaded = { path, folder: posix.dirname(path), summary, why, isInterpreter: false, members: undefined, seen: new Map() };
    this.#loaded.push(loaded);
    this.#closure.objects.push({ path, why });
    return loaded;
  }

  /** Everything that the loader loads for an object, before the program runs or when it is loaded itself. */
  #load(object: Loaded): void {
    const work: { object: Loaded; search: string[] }[] = [{ object, search: [] }];
    for (let item = work.pop(); item; item = work.pop()) {
      const own = item.object.summary.searchPaths.flatMap((text) => expandPath(text, item.object.folder, this.#isa));
      const search = [...item.search, ...own]; // DT_RPATH counts for what the object brings in, too
      for (const name of item.object.summary.needed) {
        if (item.object.members?.has(name)) continue;
        const found = this.#find(name, item.object.members ? [...search, item.object.folder] : search);
        if (found.length === 0 && !item.object.members && !this.#isInterpreter(name)) this.#doubt(`${name}, which ${item.object.path} needs, is not there`);
        for (const { path, bytes } of found) {
          const added = this.#loadFile(path, bytes, `needed by ${posix.basename(item.object.path)}`);
          if (!added) continue;
          this.#use(added, added.summary.root, `loading ${posix.basename(path)}`);
          work.push({ object: added, search });
        }
      }
    }
  }

  /** musl's loader is the C library under other names, too. */
  #isInterpreter(name: string): boolean {
    return /^libc\.(so$|musl-)/.test(name) && this.#loaded.some(({ path }) => posix.basename(path).startsWith('ld-musl'));
  }

  /** Undefined when these bytes are loaded already. */
  #loadFile(path: string, bytes: Uint8Array, why: string): Loaded | undefined {
    const key = `${bytes.length}:${posix.basename(path)}`;
    const known = this.#byContent.get(key);
    if (known && Buffer.compare(this.#request.files.read(known.path) ?? Buffer.alloc(0), bytes) === 0) return undefined;
    if (this.#loaded.some((item) => item.path === path)) return undefined;
    const interpreter = this.#loaded.find((item) => item.isInterpreter && posix.basename(item.path) === posix.basename(path));
    if (interpreter) return undefined;
    const added = this.#add(path, this.#request.summarizer.summarize(bytes, path, false), why);
    this.#byContent.set(key, added);
    return added;
  }

  #find(name: string, search: readonly string[]): { path: string; bytes: Uint8Array }[] {
    const { files } = this.#request;
    if (name.includes('/')) {
      const bytes = name.startsWith('/') ? files.read(name) : undefined;
      return bytes ? [{ path: name, bytes }] : [];
    }
    this.#folders ??= [...this.#defaultFolders, ...readLoaderFolders(files, this.#isa)];
    const folders = new Set([...search, ...this.#folders]);
    const found = [...folders].flatMap((folder) => ['', ...this.#isa.loader.hwcaps].map((part) => `${folder}${part}/${name}`));
    const result: { path: string; bytes: Uint8Array }[] = [];
    for (const path of [...found, ...findInLoaderCache(files, name)]) {
      const bytes = files.read(path);
      if (!bytes || !isForMachine(bytes, this.#isa)) continue;
      if (result.some((other) => other.path === path || Buffer.compare(other.bytes, bytes) === 0)) continue;
      result.push({ path, bytes });
    }
    return result;
  }

  /** Takes an effect of an object as one that can happen. `how`: the name by which the program gets there. */
  #use(object: Loaded, index: number, how: string): void {
    if (object.seen.has(index)) return;
    object.seen.set(index, how);
    const { summary } = object;
    const effect = summary.effects[index] as Effect;
    const file = posix.basename(object.path);
    const by = object.why === 'the program' || how === 'the loader' ? '' : ` (${how})`;
    for (const number of effect.calls) {
      // A loader executes a file only where it is the program itself.
      if (object.isInterpreter && this.#execCalls.includes(number)) continue;
      if (this.#execCalls.includes(number)) this.#doubt(`it can execute other programs, by ${summary.places[number] ?? 'execve'} in ${file}${by}`);
      if (!this.#closure.calls.has(number)) this.#closure.calls.set(number, `${summary.places[number] ?? '?'} in ${file}${by}`);
    }
    for (const doubt of effect.doubts) this.#doubt(`${summary.doubts[doubt]} in ${file}${by}`);
    for (const string of effect.strings) this.#strings.add(summary.strings[string] as string);
    for (const name of effect.names) {
      const text = summary.names[name] as string;
      if (!this.#names.has(text)) this.#names.set(text, how === 'the program' || how === 'the loader' ? text : `${text}, from ${how}`);
    }
  }

  /** Follows names and libraries until nothing new comes. */
  #settle(): void {
    const loadedStrings = new Set<string>();
    for (let before = -1; ; ) {
      const size = this.#loaded.reduce((sum, { seen }) => sum + seen.size, this.#names.size + this.#strings.size);
      if (size === before || this.#isDone()) return;
      before = size;
      for (const [name, how] of this.#names) {
        for (const object of [...this.#loaded]) {
          const effects = Object.hasOwn(object.summary.exports, name) ? object.summary.exports[name] : undefined;
          for (const index of effects ?? []) this.#use(object, index, shorten(how));
        }
      }
      for (const text of this.#strings) {
        if (loadedStrings.has(text)) continue;
        loadedStrings.add(text);
        this.#loadByText(text);
      }
    }
  }

  /** A library that is loaded by this text: a name, a pattern for names, a path, or a folder of plug-ins. */
  #loadByText(text: string): void {
    const { files, summarizer } = this.#request;
    if (/\s/.test(text)) return; // a message
    let found: { path: string; bytes: Uint8Array }[] = [];
    if (text.includes('%')) {
      if (text.includes('/')) return;
      const pattern = new RegExp(`^${text.split(/%[a-z]/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
      this.#folders ??= [...this.#defaultFolders, ...readLoaderFolders(files, this.#isa)];
      const names = new Set(this.#folders.flatMap((folder) => files.list(folder).filter((name) => pattern.test(name))));
      found = [...names].flatMap((name) => this.#find(name, []));
    } else if (text.startsWith('/') && !/\.so(\.[0-9.]+)?$/.test(text)) {
      for (const folder of [text, posix.dirname(text)]) {
        if (this.#defaultFolders.includes(folder)) continue;
        for (const name of files.list(folder)) {
          const bytes = /\.so(\.|$)/.test(name) ? files.read(`${folder}/${name}`) : undefined;
          if (bytes && isForMachine(bytes, this.#isa)) found.push({ path: `${folder}/${name}`, bytes });
        }
      }
    } else if (text.includes('/') && !text.startsWith('/')) {
      this.#doubt(`${text} is loaded from the working directory`);
    } else found = this.#find(text, []);
    if (found.length === 0) return;
    const path = found.length === 1 ? (found[0] as { path: string }).path : `${posix.dirname((found[0] as { path: string }).path)} (${found.length} files)`;
    if (this.#loaded.some((item) => item.path === path)) return;
    const group = this.#add(path, summarizer.summarizeGroup(found), `loaded while it runs (${text})`);
    group.folder = posix.dirname((found[0] as { path: string }).path);
    group.members = new Set(found.map((item) => posix.basename(item.path)));
    this.#use(group, group.summary.root, posix.basename(path));
    this.#load(group);
  }
}

const machineOf = (bytes: Uint8Array) => (bytes[18] ?? 0) + (bytes[19] ?? 0) * 256;

/** 64-bit and for this instruction set: loaders pass over the rest. */
const isForMachine = (bytes: Uint8Array, { elfMachine }: AnalysisIsa) => isElf(bytes) && bytes[4] === 2 && machineOf(bytes) === elfMachine;

/** At most the first two steps of a chain of names. */
const shorten = (how: string) => how.split(', from ').slice(0, 2).join(', from ');

function expandPath(text: string, origin: string, { loader }: AnalysisIsa): string[] {
  return text
    .split(':')
    .filter((folder) => folder !== '')
    .flatMap((folder) => {
      const based = folder.replaceAll(/\$(ORIGIN\b|\{ORIGIN\})/g, origin).replaceAll(/\$(PLATFORM\b|\{PLATFORM\})/g, loader.platform);
      return ['lib', 'lib64', `lib/${loader.triple}`].map((lib) => posix.normalize(based.replaceAll(/\$(LIB\b|\{LIB\})/g, lib)));
    })
    .filter((folder, index, all) => folder.startsWith('/') && all.indexOf(folder) === index);
}

const mostConfigurationFiles = 100;

/** The folders that ld.so.conf(5) or musl's path file name, with what they include. */
function readLoaderFolders(files: RootFiles, { loader }: AnalysisIsa): string[] {
  const folders: string[] = [];
  const seen = new Set<string>();
  const read = (path: string) => {
    if (seen.has(path) || seen.size > mostConfigurationFiles) return;
    seen.add(path);
    const text = Buffer.from(files.read(path) ?? []).toString('latin1');
    for (const line of text.split('\n').map((each) => each.replace(/#.*/, '').trim())) {
      const include = /^include\s+(.*)$/.exec(line)?.[1];
      if (include === undefined) folders.push(...line.split(/[:,\s]+/).map((each) => each.split('=', 1)[0] as string).filter((each) => each.startsWith('/')));
      else {
        for (const word of include.split(/\s+/)) {
          const pattern = posix.resolve('/etc', word);
          const name = new RegExp(`^${posix.basename(pattern).replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`);
          for (const each of files.list(posix.dirname(pattern))) if (name.test(each)) read(posix.join(posix.dirname(pattern), each));
        }
      }
    }
  };
  read('/etc/ld.so.conf');
  read(loader.muslPaths);
  return [...new Set(folders)];
}

/** Paths in ld.so.cache that end in this name. The cache is a table of NUL-ended strings behind its entries. */
function findInLoaderCache(files: RootFiles, name: string): string[] {
  const bytes = files.read('/etc/ld.so.cache');
  if (!bytes) return [];
  const cache = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const wanted = Buffer.from(`/${name}\0`);
  const found: string[] = [];
  for (let at = cache.indexOf(wanted); at >= 0; at = cache.indexOf(wanted, at + 1)) {
    const start = cache.lastIndexOf(0, at) + 1;
    found.push(cache.toString('latin1', start, at + wanted.length - 1));
  }
  return found.filter((path) => path.startsWith('/'));
}
