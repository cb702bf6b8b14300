// Holds the architecture's import rules: cli -> engine -> {images, boot, compiler}, no cycle between folders, index.ts the only door
// of a folder. Reads import statements with esbuild's own parser (a metafile), so that comments and strings do not confuse it.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';
import { listFiles } from '../build/stamp.ts';

/** What each top folder may import besides itself. */
const ALLOWED: Record<string, string[]> = {
  cli: ['engine', 'boot', 'compiler', 'images'],
  engine: ['images', 'boot', 'compiler'],
  images: [],
  boot: [],
  compiler: [],
};
/** cli reaches the layers below engine only through engine, except for the compiler's own verbs. */
const CLI_MAY_OPEN = new Set(['compiler', 'engine']);

const topFolder = (path: string) => path.split('/')[0] as string;

/** The folder whose index.ts is the door to a file: the deepest one above it that has an index.ts. */
function findDoor(path: string): string {
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    if (existsSync(`${folder}/index.ts`)) return folder;
  }
  return topFolder(path);
}

export async function checkImports(): Promise<string[]> {
  const folders = Object.keys(ALLOWED).filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) => listFiles(folder, ['.ts']));
  if (files.length === 0) return [];
  const result = await build({
    entryPoints: files,
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'build/unused',
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
  const problems: string[] = [];
  const edges = new Map<string, Set<string>>();
  for (const [from, input] of Object.entries(result.metafile.inputs)) {
    for (const { path: to, external } of input.imports) {
      if (external) continue;
      const [source, target] = [topFolder(from), topFolder(to)];
      if (source !== target && !ALLOWED[source]?.includes(target)) {
        problems.push(`Cannot accept "${from}": it imports ${to}, expected ${source} to import only [${ALLOWED[source]?.join(', ') ?? ''}]`);
      } else if (source === 'cli' && target !== 'cli' && !CLI_MAY_OPEN.has(target)) {
        problems.push(`Cannot accept "${from}": it imports ${to}, expected cli to go through engine`);
      }
      const door = findDoor(to);
      const inside = from === door || from.startsWith(`${door}/`);
      if (!inside && to !== `${door}/index.ts`) {
        problems.push(`Cannot accept "${from}": it imports ${to}, expected the door ${door}/index.ts`);
      }
      const fromDoor = findDoor(from);
      if (fromDoor !== door && !from.startsWith(`${door}/`) && !to.startsWith(`${fromDoor}/`)) {
        edges.set(fromDoor, (edges.get(fromDoor) ?? new Set()).add(door));
      }
    }
  }
  return [...problems, ...findCycles(edges)];
}

function findCycles(edges: Map<string, Set<string>>): string[] {
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, trail: string[]) => {
    const at = trail.indexOf(node);
    if (at >= 0) {
      problems.push(`Cannot accept "${[...trail.slice(at), node].join(' -> ')}": a cycle of imports, expected none`);
      return;
    }
    if (done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return problems;
}
