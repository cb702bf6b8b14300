// dist/hull and dist/lib: the CLI's bundles. dist/hull is cli/start.ts, which loads dist/lib/cli-main.js; every `import('./…')` of our own that is reachable from
// there becomes a file of its own in dist/lib, loaded when it is called for, so that `hull run` reads only what it needs. CommonJS,
// because node starts it faster; packages are bundled, so that nothing at run time comes from node_modules. Each file in dist/lib has its
// own copy of what it shares with others: compare errors by `component` and `code`, not by class.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { BuildError } from './process.ts';
import { hashInputs, isCurrent, writeStamp } from './stamp.ts';

const START = 'cli/start.ts';
const ENTRY = 'cli/main.ts';
const RECORD = 'build/stamps/bundle.json';
const STAMP = 'build/stamps/bundle';
const TOOL_INPUTS = ['tools/build/bundle.ts', 'package.json', 'package-lock.json'];

function nameLazyEntry(path: string): string {
  return `${relative(process.cwd(), path).replace(/\.ts$/, '').replace(/\/index$/, '').replaceAll('/', '-')}.js`;
}

/** Turns dynamic imports of our own files into loads from dist/lib, and reports them. */
function splitLazily(found: (path: string) => void): Plugin {
  return {
    name: 'split-lazily',
    setup(esbuild) {
      esbuild.onResolve({ filter: /^\.{1,2}\// }, (args) => {
        if (args.kind !== 'dynamic-import') return undefined;
        const path = resolve(dirname(args.importer), args.path);
        found(path);
        return { path: `./${nameLazyEntry(path)}`, external: true };
      });
    },
  };
}

/** WebAssembly that a bundled package reads from its own folder (`__dirname`) has to lie beside the bundle. */
function copyWasm(inputs: string[], outfile: string): string[] {
  const copied: string[] = [];
  for (const folder of new Set(inputs.filter((input) => input.includes('node_modules/')).map(dirname))) {
    for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.wasm'))) {
      copyFileSync(join(folder, name), join(dirname(outfile), name));
      copied.push(name);
    }
  }
  return copied;
}

interface Written {
  inputs: string[];
  wasm: string[];
}

async function writeBundle(path: string, outfile: string, found: (path: string) => void, identity = ''): Promise<Written> {
  const isStart = outfile === 'dist/hull';
  const fresh = `${outfile}.${process.pid}.new`;
  try {
    const result = await build({
      entryPoints: [path],
      outfile: fresh,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      metafile: true,
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      supported: { 'dynamic-import': false },
      // CommonJS has no import.meta: a module's place is the bundle's.
      define: { 'import.meta.url': 'hull_bundle_url', hull_bundle_identity: JSON.stringify(identity) },
      banner: { js: `${isStart ? '#!/usr/bin/env node\n' : ''}const hull_bundle_url="file://"+__filename;` },
      logLevel: 'silent',
      plugins: [splitLazily(found)],
    });
    const inputs = Object.keys(result.metafile.inputs);
    const wasm = copyWasm(inputs, outfile);
    if (isStart) chmodSync(fresh, 0o755);
    renameSync(fresh, outfile);
    return { inputs, wasm };
  } catch (cause) {
    throw new BuildError('BUNDLE', `Cannot bundle "${path}": ${(cause as Error).message}`, { cause });
  }
}

export async function buildBundles(): Promise<string> {
  if (!existsSync(ENTRY)) return `no ${ENTRY} yet`;
  mkdirSync('dist/lib', { recursive: true });
  if (existsSync(RECORD)) {
    const before = JSON.parse(readFileSync(RECORD, 'utf8')) as { inputs: string[]; outputs: string[] };
    if (isCurrent(STAMP, hashInputs([], [...before.inputs, ...TOOL_INPUTS]), before.outputs)) return 'bundles are current';
  }
  const queue = [resolve(ENTRY)];
  const inputs = new Set<string>();
  const outputs: string[] = [];
  const names = new Set<string>();
  for (let path = queue[0]; path !== undefined; path = queue[outputs.length]) {
    const outfile = join('dist/lib', nameLazyEntry(path));
    const written = await writeBundle(path, outfile, (found) => {
      if (!queue.includes(found)) queue.push(found);
    });
    for (const input of written.inputs) inputs.add(input);
    for (const name of written.wasm) names.add(name);
    names.add(basename(outfile));
    outputs.push(outfile);
  }
  const main = readFileSync(outputs[0] as string);
  const start = await writeBundle(resolve(START), 'dist/hull', () => {}, createHash('sha256').update(main).digest('hex').slice(0, 16));
  for (const input of start.inputs) inputs.add(input);
  writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
  for (const stale of readdirSync('dist/lib')) if (!names.has(stale)) rmSync(join('dist/lib', stale), { recursive: true });
  const used = [...inputs].sort();
  mkdirSync(dirname(RECORD), { recursive: true });
  writeFileSync(RECORD, JSON.stringify({ inputs: used, outputs: [...outputs, 'dist/hull'] }));
  writeStamp(STAMP, hashInputs([], [...used, ...TOOL_INPUTS]));
  return `dist/lib/cli-main.js ${Math.round(main.length / 1024)} KiB and ${outputs.length - 1} lazily loaded files`;
}
