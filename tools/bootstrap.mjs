// Runs a TypeScript tool: bundles it with esbuild (Node 20 does not read TypeScript) into build/tools, under a name that hashes all of
// tools/ and of the other folders that the tool imports from (`more`), so that an unchanged tool starts at once. Several may start at once: a bundle gets its name when it is
// complete, and one that was used within a day stays, whoever bundles anew.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const KEPT_MS = 24 * 3600 * 1000;

/** Removes bundles that nobody used for a day, and what bundlers that were killed left. */
function sweep(folder) {
  for (const name of readdirSync(folder)) {
    const used = statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now(); // gone meanwhile
    if (Date.now() - used > KEPT_MS) rmSync(join(folder, name), { force: true });
  }
}

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
  if (existsSync(bundle)) utimesSync(bundle, new Date(), new Date());
  else {
    mkdirSync(output, { recursive: true });
    sweep(output);
    const { build } = await import('esbuild');
    const fresh = bundle.replace(/\.mjs$/, `.${process.pid}.new`);
    await build({
      entryPoints: [entry],
      outfile: fresh,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      packages: 'external',
      logLevel: 'warning',
    });
    renameSync(fresh, bundle);
  }
  await import(pathToFileURL(bundle).href);
}
