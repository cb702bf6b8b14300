/**
 * `hull cc`: compile, link, write. Owns the temporary folder, which is gone afterwards whatever happens.
 */
import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { linkProgram } from '../build-image.ts';
import { CompilerError } from '../error.ts';
import { type LinkInput, LinkError } from '../link/index.ts';
import { compileSource, createProcessRunner, findCompiler, nameOutput, type ProcessRunner, prepareFlags } from './compile.ts';
import { CcError } from './error.ts';
import { makeTemporaryFolder, nameUnfinished } from './leftovers.ts';
import { collectLinkInputs } from './link-inputs.ts';
import { type Item, parseCcOptions, type Stage } from './options.ts';

export type CcContext = {
  /** The folder that holds libos/ and sysroot/. */
  dist: string;
  env: NodeJS.ProcessEnv;
  /** Starts the compiler. */
  runner?: ProcessRunner;
  /** A line for stderr. */
  log?: (line: string) => void;
};

type Source = Extract<Item, { kind: 'source' }>;
type Compile = (source: Source, stage: Exclude<Stage, 'image'>, output: string | undefined) => Promise<void>;

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Writes a file whole or not at all; into a device (/dev/null) as it is. */
function writeResult(path: string, data: Uint8Array | string, mode: number): void {
  try {
    if (existsSync(path) && !lstatSync(path).isFile()) {
      writeFileSync(path, data);
      return;
    }
    const fresh = nameUnfinished(path);
    try {
      writeFileSync(fresh, data, { mode });
      renameSync(fresh, path);
    } catch (error) {
      rmSync(fresh, { force: true });
      throw error;
    }
  } catch (cause) {
    throw new CcError('write-failed', `Cannot write "${path}": ${(cause as Error).message}, expected a writable place`, { cause });
  }
}

async function compileAll(sources: Source[], compile: (source: Source, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failure: unknown;
  const work = async () => {
    while (next < sources.length) {
      const index = next++;
      await compile(sources[index] as Source, index).catch((error: unknown) => {
        failure ??= error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(sources.length, availableParallelism()) }, work));
  if (failure !== undefined) throw failure;
}

/** The compiler's own helper functions (128-bit division and the like); where it has none, there is nothing to link. */
async function findBuiltins(compiler: string, flags: string[], runner: ProcessRunner): Promise<LinkInput[]> {
  const path = (await runner.run(compiler, [...flags, '-print-libgcc-file-name'], true)).stdout.trim();
  return existsSync(path) ? [{ name: path, bytes: readFileSync(path) }] : [];
}

const writeLine = (line: string) => process.stderr.write(`${line}\n`);

/** Runs a `hull cc` command line to its end and says on stderr what is wrong; returns the exit status that a C compiler would give. */
export async function compile(args: readonly string[], context: CcContext): Promise<number> {
  const log = context.log ?? writeLine;
  try {
    return await runCc(args, context, log);
  } catch (error) {
    if (error instanceof CcError) {
      // The compiler has said it already.
      if (error.code !== 'compile-failed') log(`hull cc: ${error.message}`);
      return error.status;
    }
    if (error instanceof LinkError || error instanceof CompilerError) {
      log(`hull cc: ${error.message}`);
      return 1;
    }
    throw error;
  }
}

async function runCc(args: readonly string[], context: CcContext, log: (line: string) => void): Promise<number> {
  const options = parseCcOptions(args, readTextFile);
  const runner = context.runner ?? createProcessRunner();
  const { isa } = options;
  const sysroot = join(context.dist, 'sysroot', isa);
  const sources = options.items.filter((item): item is Source => item.kind === 'source');
  for (const source of sources) {
    if (source.path !== '-' && !existsSync(source.path)) {
      throw new CcError('missing-file', `Cannot compile "${source.path}": no such file, expected a source`);
    }
  }
  const needsCompiler = sources.length > 0 || options.query;
  const compiler = needsCompiler ? findCompiler(context.env) : undefined;
  if (compiler && !existsSync(join(sysroot, 'include/stdio.h'))) {
    throw new CcError('missing-sysroot', `Cannot read "${sysroot}": no headers there, expected hull's C library (npm run build)`);
  }
  const flags = compiler ? await prepareFlags(compiler, join(sysroot, 'include'), runner, isa) : { before: [], after: [] };
  if (compiler && options.query) {
    return (await runner.run(compiler.path, [...flags.before, ...options.compilerFlags], false)).status;
  }
  const compileOne: Compile = async (source, stage, output) => {
    if (compiler) await compileSource({ compiler, flags, runner, log }, options, source, stage, output);
  };
  const { stage } = options;
  if (stage !== 'image') {
    await compileAll(sources, (source) => compileOne(source, stage, options.output ?? nameOutput(source.path, stage)));
    return 0;
  }

  const temporary = makeTemporaryFolder();
  const cleanUp = () => {
    runner.stop();
    rmSync(temporary, { recursive: true, force: true });
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (signal: NodeJS.Signals) => {
    cleanUp();
    for (const name of signals) process.off(name, onSignal);
    process.kill(process.pid, signal);
  };
  for (const name of signals) process.on(name, onSignal);
  try {
    const objects = new Map<Item, string>(sources.map((source, index) => [source, join(temporary, `${index}.o`)]));
    await compileAll(sources, (source) => compileOne(source, 'object', objects.get(source)));
    const inputs = collectLinkInputs(options.items, objects, options.libraryPaths, join(sysroot, 'lib'));
    if (options.standardLibraries) {
      const libc = join(sysroot, 'lib/libc.a');
      inputs.push({ name: libc, bytes: readFileSync(libc) });
      const helper = compiler ?? findOptionalCompiler(context.env);
      if (helper) inputs.push(...(await findBuiltins(helper.path, helper.kind === 'clang' ? [`--target=${isa}-linux-gnu`] : [], runner)));
    }
    const result = linkProgram({
      libos: join(context.dist, 'libos', isa),
      machine: isa,
      inputs,
      add: options.add,
      leaveOut: options.omit,
      strip: options.strip,
      gc: options.collectSections,
      keep: options.keep,
      defines: options.defines,
    });
    writeResult(options.output ?? 'a.out', result.image, 0o755);
    if (options.map !== undefined) writeResult(options.map, result.map, 0o644);
    if (options.symbols !== undefined) writeResult(options.symbols, result.symbols, 0o644);
    return 0;
  } finally {
    for (const name of signals) process.off(name, onSignal);
    cleanUp();
  }
}

/** Linking objects alone needs no compiler; with one, its helper functions are there. */
function findOptionalCompiler(environment: NodeJS.ProcessEnv) {
  try {
    return findCompiler(environment);
  } catch {
    return undefined;
  }
}
