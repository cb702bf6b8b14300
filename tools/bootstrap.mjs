// Runs a TypeScript tool: bundles it with esbuild (Node 20 does not read TypeScript) into build/tools, under a name that hashes all files that are in
// the bundle, so that an unchanged tool starts at once. Which files these are is in a record of the tool's, from the last time that it was bundled: as long as
// none of them changed, it imports no others. Several may start at once: a bundle gets its name when it is complete, and one that was used within a day stays, whoever bundles anew.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
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

/** The name of the bundle that is made of these files as they are now. */
function nameBundle(stem, inputs) {
  const hash = createHash('sha256').update(process.version).update(readFileSync('package-lock.json'));
  for (const path of inputs) hash.update(path).update('\0').update(readFileSync(path));
  return `${stem}-${hash.digest('hex').slice(0, 16)}.mjs`;
}

/** Where the bundle is that the record tells of; undefined: a file changed or is gone, or it was never made. */
function findBundle(folder, stem, record) {
  try {
    const bundle = join(folder, nameBundle(stem, JSON.parse(readFileSync(record, 'utf8'))));
    const now = new Date();
    for (const path of [record, bundle]) utimesSync(path, now, now);
    return bundle;
  } catch {
    return undefined;
  }
}

async function makeBundle(entry, folder, stem, record) {
  mkdirSync(folder, { recursive: true });
  sweep(folder);
  const { build } = await import('esbuild');
  const fresh = join(folder, `${stem}.${process.pid}.new`);
  const { metafile } = await build({
    entryPoints: [entry],
    outfile: fresh,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    metafile: true,
    logLevel: 'warning',
  });
  const inputs = Object.keys(metafile.inputs).sort();
  const bundle = join(folder, nameBundle(stem, inputs));
  renameSync(fresh, bundle);
  writeFileSync(fresh, JSON.stringify(inputs));
  renameSync(fresh, record);
  return bundle;
}

/** `entry`: relative to the checkout, or absolute. */
export async function runTool(entry) {
  process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
  const folder = join(process.cwd(), 'build', 'tools');
  const stem = `${basename(dirname(entry))}-${basename(entry, '.ts')}-${createHash('sha256').update(entry).digest('hex').slice(0, 8)}`;
  const record = join(folder, `${stem}.json`);
  const bundle = findBundle(folder, stem, record) ?? (await makeBundle(entry, folder, stem, record));
  await import(pathToFileURL(bundle).href);
}
