/**
 * What a program of a root file system can call. Owns: $HULL_ROOT/cache/analysis/<sha256>.json, the summaries of ELF files (compiler/analyze/summary.ts) by
 * their content: the second program with the same C library does not look at it again. Rules: files are complete or absent, and name everything that their content depends on; whoever cannot write one goes without.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { analyzeClosure, type Closure, mergeSummaries, type ObjectSummary, type RootFiles, type Summarizer, summarizeObject } from '../../compiler/index.ts';
import { writeOnce } from '../state/index.ts';

/** Counts up when the analysis says other things of the same files. */
const FORMAT = 2;
const KEPT = 1000;
const MOST_LINKS = 40;

/** The tree under `root` as its programs see it: links never lead out of it. */
export function openRootFiles(root: string): RootFiles {
  const find = (path: string): string | undefined => {
    const rest = path.split('/').filter((part) => part !== '' && part !== '.');
    const at: string[] = [];
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() as string;
      if (part === '..') {
        at.pop();
        continue;
      }
      const host = join(root, ...at, part);
      const stat = lstatSync(host, { throwIfNoEntry: false });
      if (stat === undefined) return undefined;
      if (!stat.isSymbolicLink()) {
        at.push(part);
        continue;
      }
      if (++links > MOST_LINKS) return undefined;
      const target = readlinkSync(host);
      if (target.startsWith('/')) at.length = 0;
      rest.unshift(...target.split('/').filter((each) => each !== '' && each !== '.'));
    }
    return join(root, ...at);
  };
  const contents = new Map<string, Uint8Array | undefined>();
  const folders = new Map<string, string[]>();
  const tryTo = <T>(run: () => T, otherwise: T): T => {
    try {
      return run();
    } catch {
      return otherwise;
    }
  };
  return {
    read(path) {
      if (!contents.has(path)) {
        const host = tryTo(() => find(path), undefined);
        contents.set(path, host === undefined ? undefined : tryTo(() => (statSync(host).isFile() ? readFileSync(host) : undefined), undefined));
      }
      return contents.get(path);
    },
    list(folder) {
      const known = folders.get(folder);
      if (known) return known;
      const host = tryTo(() => find(folder), undefined);
      const names = host === undefined ? [] : tryTo(() => readdirSync(host), []);
      folders.set(folder, names);
      return names;
    },
  };
}

function openCache(folder: string) {
  const readJson = <T>(path: string): T | undefined => {
    try {
      const value = JSON.parse(readFileSync(path, 'utf8')) as T;
      const now = new Date();
      utimesSync(path, now, now);
      return value;
    } catch {
      return undefined; // absent, or damaged: it is made again
    }
  };
  return <T>(key: readonly (string | Uint8Array)[], make: () => T): T => {
    const hash = createHash('sha256').update(String(FORMAT));
    for (const part of key) hash.update('\0').update(part);
    const path = join(folder, `${hash.digest('hex')}.json`);
    const known = readJson<T>(path);
    if (known !== undefined) return known;
    const made = make();
    try {
      rmSync(path, { force: true }); // a damaged one
      writeOnce(path, Buffer.from(JSON.stringify(made)));
      evictOld(folder);
    } catch {
      // then it is found out again next time
    }
    return made;
  };
}

function evictOld(folder: string): void {
  const names = readdirSync(folder);
  if (names.length <= KEPT) return;
  const byAge = names.map((name) => ({ name, time: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 })).sort((a, b) => b.time - a.time);
  for (const { name } of byAge.slice(KEPT >> 1)) rmSync(join(folder, name), { force: true });
}

export interface RootProgram {
  /** A directory, or what reads a root file system that is none. */
  readonly root: string | RootFiles;
  /** Its path in the root. */
  readonly program: string;
  /** Names of the variables that it starts with. */
  readonly environment: readonly string[];
  readonly cache: string;
}

/** What the program can call; undefined: anything. */
export function findRootCalls(request: RootProgram): ReadonlyMap<number, string> | undefined {
  const closure = analyzeRootProgram(request, false);
  return closure.doubts.length > 0 ? undefined : closure.calls;
}

/** `isComplete`: with all that is uncertain, for people. */
export function analyzeRootProgram({ root, program, environment, cache }: RootProgram, isComplete: boolean): Closure {
  const keep = openCache(cache);
  const summarizer: Summarizer = {
    summarize: (bytes, path, whole) => keep<ObjectSummary>([whole ? 'whole' : 'functions', bytes], () => summarizeObject(bytes, path, whole)),
    summarizeGroup: (files) =>
      keep<ObjectSummary>(['group', ...files.map(({ bytes }) => bytes)], () => mergeSummaries(files.map(({ bytes, path }) => summarizeObject(bytes, path, true)))),
  };
  return analyzeClosure({ program, files: typeof root === 'string' ? openRootFiles(root) : root, summarizer, environment, isComplete });
}
