/**
 * The cache of images linked for executables: $HULL_ROOT/cache/kernels. Owns: names and life of its files.
 *   <sha256>.img          image; the name hashes the program's bytes, the build and the link options
 *   <sha256>.sym          what the symbolizer needs for it, when the linker gives one
 *   layer-<sha256>.img, linked-<sha256>.img  kernels that came with images: of a layer, or as the program itself
 *   root-<build>[-<sha256>].img  images for programs out of root file systems: with everything, or with the components whose names are hashed
 *   seen/<file identity>  the <sha256> of a file seen before, so that an unchanged file need not be hashed again
 * which image is for a program of a root file system, by the tree's identity and the program's path, is among the known answers (state/known.ts).
 * Rules: files are complete or absent; two hulls may link the same program at once, the first one wins, with the same bytes. A file's
 * identity is device, inode, size, mtime and ctime in ns and the build; it is only noted for files older than
 * RACY_NS, so that a change within one clock tick cannot hide.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProgramFile } from '../program.ts';
import { hashText, markUsed, readKnown, saveKnown, sweepTemporaries, writeOnce } from '../state/index.ts';

type Executable = Extract<ProgramFile, { kind: 'executable' }>;

export interface LinkedImage {
  readonly image: Uint8Array;
  readonly symbols?: Uint8Array | undefined;
}

/** What makes images; compiler/ is behind it, loaded only when an image is missing. `add`: components that it shall have, and "-NAME" for those that it shall not. */
export interface ImageLinker {
  link(program: Uint8Array, path: string, add: readonly string[]): Promise<LinkedImage>;
  /** The names of what an image for programs of a root file system has when they make these calls; undefined: everything. */
  listForRoot(add: readonly string[], calls: RootCalls, isa: 'aarch64' | undefined): Promise<readonly string[] | undefined>;
  linkForRoot(add: readonly string[], calls: RootCalls, isa: 'aarch64' | undefined): Promise<LinkedImage>;
}

/** Numbers of the calls that a program can make; undefined: any. */
export type RootCalls = ReadonlyMap<number, string> | undefined;

export interface KernelCache {
  readonly folder: string;
  readonly known: string;
  /** The file in which the build names its results by their bytes. */
  readonly identity: string;
  /** The folders that images are made from and with, the libOS archives and the compiler: without that file, their files' sizes and times are the build's identity. */
  readonly sources: readonly string[];
}

const RACY_NS = 2_000_000_000n;
const KEPT_IMAGES = 200;

/** Changes whenever the libOS that images are linked from, or the compiler that links them, does. */
function readBuildIdentity({ identity, sources }: KernelCache): string {
  try {
    return readFileSync(identity, 'latin1'); // one file in place of two hundred
  } catch {
    // a build is at work, or was cut short
  }
  const files = sources.flatMap((folder) =>
    readdirSync(folder)
      .sort()
      .map((name) => {
        const { size, mtimeMs } = statSync(join(folder, name));
        return `${name}:${size}:${mtimeMs}`;
      }),
  );
  return hashText(files.join(';'));
}

function nameSeen(program: Executable, build: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = program.stat;
  return [dev, ino, size, mtimeNs, ctimeNs, build].join('-');
}

function findSeen(cache: KernelCache, seen: string): string | undefined {
  try {
    const path = join(cache.folder, `${readFileSync(join(cache.folder, 'seen', seen), 'latin1')}.img`);
    statSync(path);
    return path;
  } catch {
    return undefined;
  }
}

/** The path of an image for `program`, linked now if there is none. `add`: components that it shall have in any case. */
export async function findKernel(
  cache: KernelCache,
  program: Executable,
  add: readonly string[],
  loadLinker: () => Promise<ImageLinker>,
): Promise<string> {
  const build = [readBuildIdentity(cache), ...add].join('+');
  const seen = nameSeen(program, build);
  const known = findSeen(cache, seen);
  if (known !== undefined) return known;

  const { createHash } = await import('node:crypto');
  const bytes = readFileSync(program.path);
  const key = createHash('sha256').update(build).update('\0').update(bytes).digest('hex');
  const path = join(cache.folder, `${key}.img`);
  if (!markUsed(path)) keep(cache, key, await (await loadLinker()).link(bytes, program.path, add));
  noteSeen(cache, program, seen, key);
  return path;
}

/** A kernel that nobody has to link. */
export interface ReadyKernel {
  /** Names its bytes. */
  readonly key: string;
  /** Undefined: it is of no use here. */
  read(): Promise<Uint8Array | undefined>;
}

/** `identity`: names the program and everything on which `findCalls` depends, so that a known one needs no compiler. */
export interface RootProgramKernel {
  /** The program's instruction set; absent: x86-64. */
  readonly isa?: 'aarch64' | undefined;
  readonly identity: readonly string[];
  /** One that comes with the program, and has what is asked for. */
  findReady(add: readonly string[]): Promise<ReadyKernel | undefined>;
  findCalls(): Promise<RootCalls>;
}

/** The path of an image for a program out of a root file system. */
export async function findRootKernel(
  cache: KernelCache,
  program: RootProgramKernel,
  add: readonly string[],
  loadLinker: () => Promise<ImageLinker>,
): Promise<string> {
  const { isa } = program;
  const build = ['root', ...(isa === undefined ? [] : [isa]), readBuildIdentity(cache), ...add];
  const question = [...build, '', ...program.identity];
  const pathOf = (key: string) => join(cache.folder, `${key}.img`);
  const known = readKnown<string>(cache.known, question);
  if (known !== undefined && markUsed(pathOf(known))) return pathOf(known);

  const ready = await program.findReady(add);
  if (ready !== undefined) {
    const path = pathOf(ready.key);
    const bytes = markUsed(path) ? undefined : await ready.read();
    if (bytes !== undefined) keep(cache, ready.key, { image: bytes });
    if (existsSync(path)) {
      saveKnown(cache.known, question, ready.key);
      return path;
    }
  }

  const { createHash } = await import('node:crypto');
  const hash = (parts: readonly string[]) => createHash('sha256').update(parts.join('\0')).digest('hex');
  const linker = await loadLinker();
  const calls = await program.findCalls();
  const first = await linker.listForRoot(add, calls, isa);
  // Where a host comes and goes, it may ask for further processes; they take nothing that is not there anyway.
  const takesProcesses = add.includes('control') && !add.includes('exec-session') && (first === undefined || first.includes('process'));
  const all = takesProcesses ? [...add, 'exec-session'] : add;
  const names = takesProcesses ? await linker.listForRoot(all, calls, isa) : first;
  const key = [...build, ...(takesProcesses ? ['exec-session'] : []), ...(names === undefined ? [] : [hash(names)])].join('-');
  const path = join(cache.folder, `${key}.img`);
  if (!markUsed(path)) keep(cache, key, await linker.linkForRoot(all, calls, isa));
  saveKnown(cache.known, question, key);
  return path;
}

function keep(cache: KernelCache, key: string, { image, symbols }: LinkedImage): void {
  sweepTemporaries(cache.folder);
  if (symbols !== undefined) writeOnce(join(cache.folder, `${key}.sym`), symbols);
  writeOnce(join(cache.folder, `${key}.img`), image);
  evictOld(cache.folder);
}

function noteSeen(cache: KernelCache, program: Executable, seen: string, key: string): void {
  if (BigInt(Date.now()) * 1_000_000n - program.stat.ctimeNs < RACY_NS) return;
  writeNote(cache, seen, key);
}

function writeNote(cache: KernelCache, seen: string, key: string): void {
  try {
    mkdirSync(join(cache.folder, 'seen'), { recursive: true, mode: 0o700 });
    writeFileSync(join(cache.folder, 'seen', seen), key, { mode: 0o600 });
  } catch {
    // then it is hashed again next time
  }
}

/** Keeps the images used last; a `seen` note whose image is gone is harmless and goes with the next eviction. */
function evictOld(folder: string): void {
  const images = readdirSync(folder)
    .filter((name) => name.endsWith('.img'))
    .map((name) => ({ name, time: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 })) // 0: another run removed it meanwhile
    .sort((a, b) => b.time - a.time);
  if (images.length <= KEPT_IMAGES) return;
  const remove = (path: string) => {
    try {
      unlinkSync(path);
    } catch {
      // someone else removed it
    }
  };
  for (const { name } of images.slice(KEPT_IMAGES)) {
    remove(join(folder, name));
    remove(join(folder, name.replace(/\.img$/, '.sym')));
  }
  const seen = join(folder, 'seen');
  if (existsSync(seen)) for (const name of readdirSync(seen)) remove(join(seen, name));
}
