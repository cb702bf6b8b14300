// Builds hull's musl for linked programs: the pinned source with libos/musl's system-call layer -> dist/sysroot/<isa>/{include,lib}.
// Which files replace which of musl's, and why, is in libos/musl/README.md.
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { buildArchive, type Unit } from './objects.ts';
import { mustRun } from './process.ts';
import { fetchedSource, SOURCES_LOCK } from './sources.ts';
import { hashInputs, isCurrent, listFiles, writeStamp } from './stamp.ts';
import type { Toolchain } from './toolchain.ts';

/** Libraries that POSIX names and musl keeps in libc.a; empty archives, so that -lm and the like work. */
const EMPTY_LIBRARIES = ['m', 'rt', 'pthread', 'crypt', 'util', 'xnet', 'resolv', 'dl'];

/** Files of musl's src/ that ours stand for, or that have no meaning in a linked program. */
const REPLACED = new Set([
  'env/__libc_start_main.c', // start.c
  'env/__stack_chk_fail.c', // stack_check.c
  'thread/pthread_cancel.c', // cancel.c
  'unistd/setxid.c', // setxid.c
  'thread/__syscall_cp.c',
  'thread/x86_64/syscall_cp.s',
  'thread/x86_64/clone.s', // x86_64/clone.S
  'thread/x86_64/__unmapself.s', // musl's own __unmapself.c
  'thread/x86_64/__set_thread_area.s', // x86_64/thread_area.c
  'process/x86_64/vfork.s', // musl's own vfork.c
  'signal/x86_64/restore.s', // x86_64/restore.S
  'thread/aarch64/syscall_cp.s',
  'thread/aarch64/clone.s', // aarch64/clone.S
  'thread/aarch64/__unmapself.s',
  'signal/aarch64/restore.s', // aarch64/restore.S
]);

/** Generic files that are replaced by ours for the architecture (so that musl's fallbacks are not compiled beside them). */
const REPLACED_GENERIC = new Set(['thread/clone.c', 'thread/__set_thread_area.c', 'mman/mmap.c', 'signal/restore.c', 'thread/syscall_cp.c', 'stdio/ftrylockfile.c']);

const FLAGS = [
  '-std=c99',
  '-nostdinc',
  '-ffreestanding',
  '-frounding-math',
  '-D_XOPEN_SOURCE=700',
  '-fPIE',
  '-Oz',
  '-fomit-frame-pointer',
  '-fno-unwind-tables',
  '-fno-asynchronous-unwind-tables',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-stack-protector',
  '-fno-strict-aliasing',
  '-w',
  '-Qunused-arguments',
];

interface Paths {
  source: string;
  arch: string;
  work: string;
  sysroot: string;
}

/** bits/alltypes.h and bits/syscall.h as musl's Makefile makes them, and the table of calls for our system-call layer. */
async function generateHeaders(paths: Paths): Promise<void> {
  const bits = join(paths.work, 'include/bits');
  mkdirSync(bits, { recursive: true });
  const archBits = join(paths.source, 'arch', paths.arch, 'bits');
  const alltypes = await mustRun('sed', [
    '-f',
    join(paths.source, 'tools/mkalltypes.sed'),
    join(archBits, 'alltypes.h.in'),
    join(paths.source, 'include/alltypes.h.in'),
  ]);
  writeFileSync(join(bits, 'alltypes.h'), alltypes);
  const table = readFileSync(join(archBits, 'syscall.h.in'), 'utf8');
  writeFileSync(join(bits, 'syscall.h'), table + table.replaceAll('__NR_', 'SYS_'));

  const calls = [...table.matchAll(/^#define\s+__NR_(\w+)\s+(\d+)\s*$/gm)];
  const unique = new Map(calls.map(([, name, number]) => [number as string, name as string]));
  const lines = [...unique].map(([number, name]) => `    X(${number}, ${name})`);
  const generated = join(paths.work, 'generated');
  mkdirSync(generated, { recursive: true });
  writeFileSync(
    join(generated, 'hull_calls.h'),
    `/* Generated from musl's bits/syscall.h.in. */\n#define HULL_CALLS(X) \\\n${lines.join(' \\\n')}\n`,
  );
  const version = readFileSync(join(paths.source, 'VERSION'), 'utf8').trim();
  writeFileSync(join(generated, 'version.h'), `#define VERSION "${version}"\n`);
}

/** musl's internal headers with ours in the place of syscall.h: headers beside it include it as a sibling. */
function overlayInternalHeaders(paths: Paths): void {
  const from = join(paths.source, 'src/internal');
  const to = join(paths.work, 'internal');
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name.endsWith('.h')) copyFileSync(join(from, name), join(to, name === 'syscall.h' ? 'syscall_musl.h' : name));
  }
  copyFileSync('libos/musl/include/syscall.h', join(to, 'syscall.h'));
  makeLocksWeak(to);
}

/**
 * Locks are taken only once there are threads or a program locked a stream itself (libc.need_locks, FILE.lock >= 0), so a weak reference is enough;
 * <isa>/clone.S and file_locks.c, without which neither comes about, bring them.
 */
function makeLocksWeak(to: string): void {
  const edits: [string, [string, string][]][] = [
    [
      'lock.h',
      [
        ['#define LOCK(x) __lock(x)', '#include "libc.h"\n#define LOCK(x) (libc.need_locks ? __lock(x) : (void)0)'],
        ['#define UNLOCK(x) __unlock(x)', '#define UNLOCK(x) ((x)[0] < 0 ? __unlock(x) : (void)0)'],
        ['hidden void __lock(', 'hidden weak void __lock('],
        ['hidden void __unlock(', 'hidden weak void __unlock('],
      ],
    ],
    [
      'stdio_impl.h',
      [
        ['hidden int __lockfile(', 'hidden weak int __lockfile('],
        ['hidden void __unlockfile(', 'hidden weak void __unlockfile('],
      ],
    ],
  ];
  for (const [name, replacements] of edits) {
    const path = join(to, name);
    let text = readFileSync(path, 'utf8');
    for (const [from, by] of replacements) {
      if (!text.includes(from)) throw new Error(`Cannot change "${path}": no "${from}" in it, expected the pinned musl`);
      text = text.replace(from, by);
    }
    writeFileSync(path, text);
  }
}

/** Our files: those for all instruction sets, and those in the folder of this one. */
function listOwn(isa: string, endings: string[]): string[] {
  return listFiles('libos/musl', endings).filter((path) => [isa, 'include'].includes(path.split('/')[2] as string) || path.split('/').length === 3);
}

function listSources(paths: Paths): string[] {
  const base = join(paths.source, 'src');
  const folders = readdirSync(base).flatMap((name) => (name === 'malloc' ? ['malloc', 'malloc/mallocng'] : [name]));
  const chosen: string[] = [];
  for (const folder of folders) {
    const here = readdirSync(join(base, folder)).filter((name) => name.endsWith('.c'));
    const archFolder = join(base, folder, paths.arch);
    const special = existsSync(archFolder) ? readdirSync(archFolder).filter((name) => /\.[csS]$/.test(name)) : [];
    const kept = special.filter((name) => !REPLACED.has(`${folder}/${paths.arch}/${name}`));
    const shadowed = new Set(kept.map((name) => basename(name, extname(name))));
    for (const name of here) {
      const key = `${folder}/${name}`;
      if (REPLACED.has(key) || REPLACED_GENERIC.has(key) || shadowed.has(basename(name, '.c'))) continue;
      chosen.push(join(base, key));
    }
    chosen.push(...kept.map((name) => join(archFolder, name)));
  }
  return [...chosen, ...listOwn(paths.arch, ['.c', '.S'])].sort();
}

function installSysroot(paths: Paths): void {
  const include = join(paths.sysroot, 'include');
  rmSync(include, { recursive: true, force: true });
  cpSync(join(paths.source, 'include'), include, { recursive: true, filter: (path) => !path.endsWith('.in') });
  for (const folder of ['generic', paths.arch]) {
    cpSync(join(paths.source, 'arch', folder, 'bits'), join(include, 'bits'), {
      recursive: true,
      filter: (path) => !path.endsWith('.in'),
    });
  }
  cpSync(join(paths.work, 'include/bits'), join(include, 'bits'), { recursive: true });
  copyFileSync(join(paths.source, 'COPYRIGHT'), join(paths.sysroot, 'COPYRIGHT.musl'));
}

/**
 * Flags of single files. printf's arithmetic rounds at run time, as the mode then says, also without -frounding-math (no
 * constant in it is inexact), and is 250 bytes smaller.
 */
function ownFlags(source: string): string[] {
  if (/\/(memcpy|memmove|memset|memcmp)\.[cs]$/.test(source)) return ['-O2'];
  return source.endsWith('/stdio/vfprintf.c') ? ['-fno-rounding-math'] : [];
}

export async function buildMusl(tools: Toolchain, isa: string): Promise<string> {
  const paths: Paths = {
    source: fetchedSource('musl'),
    arch: isa,
    work: join('build/musl', isa),
    sysroot: join('dist/sysroot', isa),
  };
  const archive = join(paths.sysroot, 'lib/libc.a');
  const stamp = join('build/stamps', `musl-${isa}`);
  const glue = listOwn(isa, ['.c', '.S', '.h']);
  const target = `--target=${isa}-linux-musl`;
  const hash = hashInputs([tools.version, target, ...FLAGS], [...glue, SOURCES_LOCK, 'tools/build/musl.ts']);
  if (isCurrent(stamp, hash, [archive, join(paths.sysroot, 'include/stdio.h')])) return 'musl is current';

  await generateHeaders(paths);
  overlayInternalHeaders(paths);
  const includes = [
    'libos/musl/include',
    join(paths.source, 'arch', paths.arch),
    join(paths.source, 'arch/generic'),
    join(paths.work, 'generated'),
    join(paths.source, 'src/include'),
    join(paths.work, 'internal'),
    join(paths.work, 'include'),
    join(paths.source, 'include'),
  ].map((folder) => `-I${folder}`);
  const units: Unit[] = listSources(paths).map((source) => ({
    source,
    object: join(paths.work, 'objects', `${source.replace(`${paths.source}/src/`, '').replaceAll('/', '_')}.o`),
    flags: [target, ...FLAGS, ...ownFlags(source), ...includes],
  }));
  const compiled = await buildArchive(tools, archive, units);
  for (const name of EMPTY_LIBRARIES) {
    const path = join(dirname(archive), `lib${name}.a`);
    writeFileSync(`${path}.new`, '!<arch>\n');
    renameSync(`${path}.new`, path);
  }
  installSysroot(paths);
  writeStamp(stamp, hash);
  return `musl: ${compiled} of ${units.length} files compiled`;
}
