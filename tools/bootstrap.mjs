// Runs a TypeScript tool: bundles it with esbuild (Node 20 does not read TypeScript) into build/tools, under a name that hashes all of
// tools/ and of the other folders that the tool imports from (`more`), so that an unchanged tool starts at once.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export async function runTool(entry, more = []) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  process.chdir(root);
  const hash = createHash('sha256').update(process.version).update(readFileSync('package-lock.json'));
  for (const folder of ['tools', ...more]) {
    for (const name of readdirSync(folder, { recursive: true }).sort()) {
      if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(folder, name)));
    }
  }
  const stem = `${basename(dirname(entry))}-${basename(entry, '.ts')}-`;
  const output = join(root, 'build', 'tools');
  const bundle = join(output, `${stem}${hash.digest('hex').slice(0, 16)}.mjs`);
  if (!existsSync(bundle)) {
    mkdirSync(output, { recursive: true });
    for (const name of readdirSync(output)) if (name.startsWith(stem)) rmSync(join(output, name));
    const { build } = await import('esbuild');
    await build({
      entryPoints: [entry],
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
}
