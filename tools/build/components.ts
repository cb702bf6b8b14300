// Compiles the libOS components: libos/<name>/component.json -> dist/libos/<isa>/<name>.a, and components.json with all manifests
// and the archives' sizes. A folder without a component.json (headers only, or not there yet) is not a component.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildArchive, type Unit } from './objects.ts';
import { BuildError } from './process.ts';
import { fetchedSource } from './sources.ts';
import type { Toolchain } from './toolchain.ts';

interface Manifest {
  name: string;
  summary: string;
  sources: string[];
  requires: string[];
  optimize?: 'size' | 'speed';
  /** Third-party source package that "sources" beginning with "<package>:" come from. */
  includes?: string[];
  /**
   * Further compiler flags: of third-party code; and "-fstack-protector" (canaries only in functions with byte arrays) in the components of the smallest
   * images, whose functions hold no arrays that a program's bytes could overrun.
   */
  flags?: string[];
  /** Only for these instruction sets; absent: for each that takes it. */
  isas?: string[];
  /** Of the component `arch`, where not everything works there yet: which components are built, and what stands for what in "requires". */
  isa?: { components: string[]; replaces?: Record<string, string> };
  [key: string]: unknown;
}

/** What only one instruction set has: code of the kernel must not use a red zone, which an interrupt would overwrite. */
const ISA_FLAGS: Record<string, string[]> = { x86_64: ['-mno-red-zone'] };

const COMPILE_FLAGS = [
  '-std=c2x',
  '-ffreestanding',
  '-nostdlibinc',
  '-fPIE',
  '-fvisibility=hidden',
  '-ffunction-sections',
  '-fdata-sections',
  'ISA',
  '-mgeneral-regs-only',
  '-fno-asynchronous-unwind-tables',
  '-fomit-frame-pointer',
  '-fstack-protector-strong',
  '-mstack-protector-guard=global',
  '-Wall',
  '-Wextra',
  '-Werror',
];

function componentFlags(manifest: Manifest, folder: string, isa: string): string[] {
  const includes = (manifest.includes ?? []).map((path) => `-I${resolveSource(folder, path)}`);
  return [
    `--target=${isa}-unknown-none-elf`,
    ...COMPILE_FLAGS.flatMap((flag) => (flag === 'ISA' ? (ISA_FLAGS[isa] ?? []) : [flag])),
    manifest.optimize === 'speed' ? '-O2' : '-Oz',
    ...includes,
    '-Ilibos',
    `-Ilibos/arch/${isa}`,
    ...(manifest.flags ?? []),
  ];
}

/** "file.c" is in the component's folder; "lwip:src/core/ip.c" is in a fetched source package. */
function resolveSource(folder: string, source: string): string {
  const [origin, path] = source.split(':');
  return path !== undefined && origin ? join(fetchedSource(origin), path) : join(folder, source);
}

/** A component's part for an instruction set is named by its place for x86-64; where another has none, it needs none. */
function sourcesFor(manifest: Manifest, folder: string, isa: string): string[] {
  return manifest.sources
    .map((source) => ({ source: source.replace('../arch/x86_64/', `../arch/${isa}/`), written: source }))
    .filter(({ source, written }) => source === written || existsSync(join(folder, source)))
    .map(({ source }) => source);
}

/** The folders of the components that are built for an instruction set. */
function chooseFolders(isa: string): { folder: string; manifest: Manifest }[] {
  const all = findComponentFolders(isa).map((folder) => ({ folder, manifest: readManifest(folder) }));
  const chosen = all.find(({ manifest }) => manifest.name === 'arch')?.manifest.isa;
  const isTaken = ({ name, isas }: Manifest) => (isas?.includes(isa) ?? true) && (chosen === undefined || name === 'arch' || chosen.components.includes(name));
  const rename = (name: string) => chosen?.replaces?.[name] ?? name;
  return all
    .filter(({ manifest }) => isTaken(manifest))
    .map(({ folder, manifest }) => ({ folder, manifest: { ...manifest, sources: sourcesFor(manifest, folder, isa), requires: manifest.requires.map(rename) } }));
}

export function findComponentFolders(isa: string): string[] {
  const folders = readdirSync('libos', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'arch')
    .map((entry) => join('libos', entry.name));
  return [...folders, join('libos/arch', isa)].filter((folder) => existsSync(join(folder, 'component.json')));
}

function readManifest(folder: string): Manifest {
  const path = join(folder, 'component.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  } catch (cause) {
    throw new BuildError('MANIFEST', `Cannot read "${path}": ${(cause as Error).message}, expected JSON`, { cause });
  }
}

export async function buildComponents(tools: Toolchain, isa: string): Promise<string> {
  const output = join('dist/libos', isa);
  mkdirSync(output, { recursive: true });
  let compiled = 0;
  const manifests: (Manifest & { size: number })[] = [];
  const failures: BuildError[] = [];
  for (const { folder, manifest } of chooseFolders(isa)) {
    const flags = componentFlags(manifest, folder, isa);
    const units: Unit[] = manifest.sources.map((source) => ({
      source: resolveSource(folder, source),
      object: join('build/libos', isa, manifest.name, `${source.replace(/[/:]/g, '_')}.o`),
      flags,
    }));
    const archive = join(output, `${manifest.name}.a`);
    try {
      const missing = units.find((unit) => !existsSync(unit.source));
      if (missing) {
        throw new BuildError(
          'SOURCE',
          `Cannot build component "${manifest.name}": ${missing.source} is not there, expected each of "sources"`,
        );
      }
      compiled += await buildArchive(tools, archive, units);
      manifests.push({ ...manifest, size: statSync(archive).size });
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      failures.push(error);
    }
  }
  manifests.sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = new Set(manifests.map((manifest) => `${manifest.name}.a`));
  for (const entry of readdirSync(output)) {
    if (entry.endsWith('.a') && !names.has(entry)) rmSync(join(output, entry));
  }
  const text = `${JSON.stringify(manifests, null, 1)}\n`;
  const list = join(output, 'components.json');
  if (!existsSync(list) || readFileSync(list, 'utf8') !== text) writeFileSync(list, text);
  if (failures.length > 0) {
    throw new BuildError(
      'COMPONENTS',
      `${failures.map((failure) => failure.message).join('\n')}\n${failures.length} of ${manifests.length + failures.length} components failed`,
    );
  }
  return `${manifests.length} components, ${compiled} files compiled`;
}
