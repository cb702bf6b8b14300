// Starts the builder: bundles tools/build/main.ts with esbuild (TypeScript needs that on Node 20) and runs it.
// Usage: node tools/build.mjs [target…]; see tools/build/main.ts for the targets.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const hash = createHash('sha256').update(process.version).update(readFileSync('package-lock.json'));
for (const name of readdirSync('tools/build').sort()) {
  if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join('tools/build', name)));
}
const bundle = join(root, 'build', 'tools', `build-${hash.digest('hex').slice(0, 16)}.mjs`);
if (!existsSync(bundle)) {
  const { build } = await import('esbuild');
  await build({
    entryPoints: ['tools/build/main.ts'],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
}
await import(pathToFileURL(bundle).href);
