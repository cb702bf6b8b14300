/**
 * Runs the C compiler for one source. Owns: which compiler, and the flags that make its output fit an image: hull's headers in the place of
 * the host's, position independence, a section for each function and object.
 */
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, delimiter, extname, join } from 'node:path';
import { CcError } from './error.ts';
import type { CcOptions, Stage } from './options.ts';

export type Compiler = { path: string; kind: 'clang' | 'gcc' };

/** Starts programs; the consumer may replace it. `capture` gives stdout back instead of passing it on. */
export type ProcessRunner = {
  run(command: string, args: string[], capture: boolean): Promise<{ status: number; stdout: string }>;
  /** Ends what still runs. */
  stop(): void;
};

export function createProcessRunner(): ProcessRunner {
  const running = new Set<ReturnType<typeof spawn>>();
  return {
    run: (command, args, capture) =>
      new Promise((resolve, reject) => {
        const child = spawn(command, args, { stdio: ['inherit', capture ? 'pipe' : 'inherit', 'inherit'] });
        running.add(child);
        let stdout = '';
        child.stdout?.on('data', (data) => {
          stdout += data;
        });
        child.on('error', (cause) => {
          running.delete(child);
          reject(new CcError('no-compiler', `Cannot run "${command}": ${cause.message}, expected a C compiler`, { cause }));
        });
        child.on('close', (code, signal) => {
          running.delete(child);
          resolve({ status: code ?? 128 + (signal ? constants.signals[signal] : 0), stdout });
        });
      }),
    stop: () => {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}

const CANDIDATES = ['clang', 'clang-19', 'clang-18', 'clang-17', 'clang-16', 'clang-15', 'clang-14', 'gcc', 'cc'];

/** HULL_CC, or the first of clang and gcc on the PATH. */
export function findCompiler(environment: NodeJS.ProcessEnv): Compiler {
  const wanted = environment['HULL_CC'];
  for (const name of wanted ? [wanted] : CANDIDATES) {
    const paths = name.includes('/') ? [name] : (environment['PATH'] ?? '').split(delimiter).filter(Boolean).map((folder) => join(folder, name));
    const path = paths.find((candidate) => existsSync(candidate) && statSync(candidate).isFile());
    if (path) return { path, kind: basename(path).includes('clang') ? 'clang' : 'gcc' };
  }
  throw new CcError('no-compiler', `Cannot find "${wanted ?? 'clang'}": not on the PATH, expected clang or gcc (or HULL_CC)`);
}

/** Flags that depend on compiler and headers. Ours come last, so that a program's own -isystem folders are before hull's. */
export async function prepareFlags(compiler: Compiler, include: string, runner: ProcessRunner, isa: CcOptions['isa'] = 'x86_64'): Promise<{ before: string[]; after: string[] }> {
  const before = ['-ffunction-sections', '-fdata-sections', '-fstack-protector-strong'];
  if (compiler.kind === 'clang') {
    return { before: [`--target=${isa}-linux-musl`, ...before], after: ['-nostdlibinc', '-isystem', include, '-Qunused-arguments'] };
  }
  // A gcc makes code for one instruction set, and says which.
  const made = isa === 'x86_64' ? isa : (await runner.run(compiler.path, ['-dumpmachine'], true)).stdout.split('-')[0];
  if (made !== isa) throw new CcError('unsupported', `Cannot compile for "${isa}" with "${compiler.path}": it makes code for ${made}, expected clang (or HULL_CC)`);
  const own = (await runner.run(compiler.path, ['-print-file-name=include'], true)).stdout.trim();
  return { before: [...before, ...(isa === 'x86_64' ? ['-fcf-protection=none'] : [])], after: ['-nostdinc', '-isystem', include, '-isystem', own] };
}

const STAGE_FLAG: Record<Exclude<Stage, 'image'>, string> = { preprocess: '-E', assembly: '-S', object: '-c' };
const STAGE_SUFFIX: Record<Exclude<Stage, 'image'>, string> = { preprocess: '', assembly: '.s', object: '.o' };

/** Where a source goes with -c and -S when no -o says so: beside nobody, in the working directory, as cc has it. */
export function nameOutput(source: string, stage: Exclude<Stage, 'image'>): string | undefined {
  return stage === 'preprocess' ? undefined : `${basename(source, extname(source))}${STAGE_SUFFIX[stage]}`;
}

export async function compileSource(
  setup: { compiler: Compiler; flags: { before: string[]; after: string[] }; runner: ProcessRunner; log: (line: string) => void },
  options: CcOptions,
  source: { path: string; language: string | undefined },
  stage: Exclude<Stage, 'image'>,
  output: string | undefined,
): Promise<void> {
  const language = source.language ? ['-x', source.language] : source.path === '-' && stage === 'preprocess' ? ['-x', 'c'] : [];
  // Linking at once: the dependency file is named after the result, not after the temporary object.
  const named = options.output ?? source.path;
  const dependencies =
    options.stage === 'image' && options.dependencies.wanted && !options.dependencies.file
      ? ['-MF', `${options.output ? named.replace(/\.[^./]*$/, '') : basename(named, extname(named))}.d`]
      : [];
  const args = [
    ...setup.flags.before,
    ...(options.positionIndependent ? [] : ['-fPIE']),
    ...options.compilerFlags,
    ...dependencies,
    ...setup.flags.after,
    STAGE_FLAG[stage],
    ...language,
    ...(output === undefined ? [] : ['-o', output]),
    source.path,
  ];
  if (options.verbose) setup.log(`${setup.compiler.path} ${args.join(' ')}`);
  const { status } = await setup.runner.run(setup.compiler.path, args, false);
  // The compiler said what is wrong; its status is ours.
  if (status !== 0) throw new CcError('compile-failed', `Cannot compile "${source.path}": exit status ${status}, expected 0`, { status });
}
