/**
 * `hull cc`: compile, link, write. Owns the temporary folder, which is gone afterwards whatever happens.
 */
import { existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ComponentInput, type ComponentManifest, type LinkInput, type LinkResult, linkImage } from '../link/index.ts';
import { compileSource, createProcessRunner, findCompiler, nameOutput, type ProcessRunner, prepareFlags } from './compile.ts';
import { CcError } from './error.ts';
import { collectLinkInputs } from './link-inputs.ts';
import { type CcOptions, type Item, parseCcOptions, type Stage } from './options.ts';

export type CcRequest = {
  args: readonly string[];
  /** The folder that holds libos/ and sysroot/ (dist, or where the package was installed). */
  distribution: string;
  environment?: NodeJS.ProcessEnv;
  runner?: ProcessRunner;
  log?: (line: string) => void;
};

const ISA = 'x86_64';
type Source = Extract<Item, { kind: 'source' }>;
type Compile = (source: Source, stage: Exclude<Stage, 'image'>, output: string | undefined) => Promise<void>;

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** All components that this hull has, but for those left out by hand. */
function readComponents(distribution: string, options: CcOptions): ComponentInput[] {
  const folder = join(distribution, 'libos', ISA);
  const list = readTextFile(join(folder, 'components.json'));
  if (list === undefined) {
    throw new CcError('missing-sysroot', `Cannot read "${join(folder, 'components.json')}": not there, expected hull's libOS (npm run build)`);
  }
  const manifests = JSON.parse(list) as ComponentManifest[];
  for (const name of [...options.add, ...options.omit]) {
    if (!manifests.some((manifest) => manifest.name === name)) {
      throw new CcError('bad-option', `Cannot add or omit "${name}": no such component, expected one of ${manifests.map((m) => m.name).join(', ')}`);
    }
  }
  return manifests
    .filter((manifest) => !options.omit.includes(manifest.name))
    .map((manifest) => ({ manifest, archive: readFileSync(join(folder, `${manifest.name}.a`)) }));
}

/** Writes a file whole or not at all; into a device (/dev/null) as it is. */
function writeResult(path: string, data: Uint8Array | string, mode: number): void {
  try {
    if (existsSync(path) && !lstatSync(path).isFile()) {
      writeFileSync(path, data);
      return;
    }
    const fresh = `${path}.${process.pid}.tmp`;
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

function linkObjects(request: CcRequest, options: CcOptions, inputs: LinkInput[]): LinkResult {
  return linkImage({
    inputs,
    components: readComponents(request.distribution, options),
    activate: options.add,
    gc: options.collectSections,
    strip: options.strip,
    keep: options.keep,
    defines: options.defines,
  });
}

/** Runs a `hull cc` command line to its end; returns the exit status, or throws CcError or LinkError. */
export async function runCc(request: CcRequest): Promise<number> {
  const options = parseCcOptions(request.args, readTextFile);
  const runner = request.runner ?? createProcessRunner();
  const log = request.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  const sysroot = join(request.distribution, 'sysroot', ISA);
  const sources = options.items.filter((item): item is Source => item.kind === 'source');
  for (const source of sources) {
    if (source.path !== '-' && !existsSync(source.path)) {
      throw new CcError('missing-file', `Cannot compile "${source.path}": no such file, expected a source`);
    }
  }
  const needsCompiler = sources.length > 0 || options.query;
  const compiler = needsCompiler ? findCompiler(request.environment ?? process.env) : undefined;
  if (compiler && !existsSync(join(sysroot, 'include/stdio.h'))) {
    throw new CcError('missing-sysroot', `Cannot read "${sysroot}": no headers there, expected hull's C library (npm run build)`);
  }
  const flags = compiler ? await prepareFlags(compiler, join(sysroot, 'include'), runner) : { before: [], after: [] };
  if (compiler && options.query) {
    return (await runner.run(compiler.path, [...flags.before, ...options.compilerFlags], false)).status;
  }
  const compile: Compile = async (source, stage, output) => {
    if (compiler) await compileSource({ compiler, flags, runner, log }, options, source, stage, output);
  };
  const { stage } = options;
  if (stage !== 'image') {
    await compileAll(sources, (source) => compile(source, stage, options.output ?? nameOutput(source.path, stage)));
    return 0;
  }

  const temporary = mkdtempSync(join(tmpdir(), 'hull-cc-'));
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
    await compileAll(sources, (source) => compile(source, 'object', objects.get(source)));
    const inputs = collectLinkInputs(options.items, objects, options.libraryPaths, join(sysroot, 'lib'));
    if (options.standardLibraries) {
      const libc = join(sysroot, 'lib/libc.a');
      inputs.push({ name: libc, bytes: readFileSync(libc) });
      const helper = compiler ?? findOptionalCompiler(request.environment ?? process.env);
      if (helper) inputs.push(...(await findBuiltins(helper.path, helper.kind === 'clang' ? ['--target=x86_64-linux-gnu'] : [], runner)));
    }
    const result = linkObjects(request, options, inputs);
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
