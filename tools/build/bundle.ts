// dist/hull and dist/lib: the CLI's bundles. The entry is cli/main.ts; every `import('./…')` of our own that is reachable becomes a
// file of its own in dist/lib, loaded when it is called for, so that `hull run` reads only what it needs. CommonJS,
// because node starts it faster; packages stay packages. Each file in dist/lib has its own copy of what it shares with
// others: compare errors by `component` and `code`, not by class.
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const ENTRY = 'cli/main.ts';

function nameLazyEntry(path: string): string {
  return `${relative(process.cwd(), path).replace(/\.ts$/, '').replace(/\/index$/, '').replaceAll('/', '-')}.js`;
}

/** Turns dynamic imports of our own files into loads from dist/lib, and reports them. */
function splitLazily(prefix: string, found: (path: string) => void): Plugin {
  return {
    name: 'split-lazily',
    setup(esbuild) {
      esbuild.onResolve({ filter: /^\.{1,2}\// }, (args) => {
        if (args.kind !== 'dynamic-import') return undefined;
        const path = resolve(dirname(args.importer), args.path);
        found(path);
        return { path: prefix + nameLazyEntry(path), external: true };
      });
    },
  };
}

export async function buildBundles(): Promise<string> {
  await mkdir('dist/lib', { recursive: true });
  const queue = [resolve(ENTRY)];
  const written = new Set<string>();
  for (let path = queue[0]; path !== undefined; path = queue[written.size]) {
    const isMain = path === resolve(ENTRY);
    await build({
      entryPoints: [path],
      outfile: isMain ? 'dist/hull' : join('dist/lib', nameLazyEntry(path)),
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      packages: 'external',
      minifySyntax: true,
      minifyWhitespace: true,
      supported: { 'dynamic-import': false },
      logLevel: 'warning',
      ...(isMain ? { banner: { js: '#!/usr/bin/env node' } } : {}),
      plugins: [
        splitLazily(isMain ? './lib/' : './', (found) => {
          if (!queue.includes(found)) queue.push(found);
        }),
      ],
    });
    written.add(path);
  }
  await chmod('dist/hull', 0o755);
  await writeFile('dist/package.json', '{ "type": "commonjs" }\n');
  const names = new Set(queue.slice(1).map(nameLazyEntry));
  for (const stale of await readdir('dist/lib')) if (!names.has(stale)) await rm(join('dist/lib', stale));
  return `dist/hull and ${names.size} lazily loaded files`;
}
