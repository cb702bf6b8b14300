// The build, as a list of steps. `node tools/build.mjs [step…]` runs all of them or those named, and what holds after each is in its
// comment. A build in which nothing changed takes less than a second.
import { rmSync, writeFileSync } from 'node:fs';
import { buildBundles } from './bundle.ts';
import { buildComponents } from './components.ts';
import { identifyResults } from './identity.ts';
import { buildLaunch } from './launch.ts';
import { buildMusl } from './musl.ts';
import { BuildError } from './process.ts';
import { fetchSources } from './sources.ts';
import { findToolchain } from './toolchain.ts';

const ISA = 'x86_64';
/** All that images are made for; the first is the host's that tests run on. */
const ISAS = [ISA, 'aarch64'];

async function forEachIsa(build: (isa: string) => Promise<string>): Promise<string> {
  const summaries: string[] = [];
  for (const isa of ISAS) summaries.push(`${isa}: ${await build(isa)}`);
  return summaries.join('; ');
}

const steps: Record<string, () => Promise<string>> = {
  // build/sources holds the pinned sources of musl and lwIP, checked and patched.
  sources: fetchSources,
  // dist/libos/<isa> holds an archive for each component, and components.json.
  libos: async () => forEachIsa(async (isa) => buildComponents(await findToolchain(), isa)),
  // dist/sysroot/<isa> holds hull's musl: headers and libc.a.
  musl: async () => forEachIsa(async (isa) => buildMusl(await findToolchain(), isa)),
  // dist/bin holds the launcher that ties the VMM's life to ours.
  launch: async () => buildLaunch(await findToolchain(), ISA),
  // dist/hull and dist/lib hold the CLI.
  bundle: buildBundles,
};

/** It is absent while a build is at work. */
const IDENTITY = 'dist/identity';

function writeIdentity(): void {
  const identity = identifyResults('dist');
  if (identity !== undefined) writeFileSync(IDENTITY, identity);
}

async function main(): Promise<void> {
  rmSync(IDENTITY, { force: true });
  const wanted = process.argv.slice(2);
  for (const name of wanted.length > 0 ? wanted : Object.keys(steps)) {
    const step = steps[name];
    if (!step) {
      throw new BuildError('STEP', `Cannot build "${name}": not a step, expected one of ${Object.keys(steps).join(', ')}`);
    }
    const start = performance.now();
    try {
      const summary = await step();
      console.error(`build ${name}: ${summary} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      // The other steps do not depend on it, but for the sources: go on, so that one run shows all that is wrong.
      if (!(error instanceof BuildError) || name === 'sources') throw error;
      console.error(`build ${name}: ${error.message}`);
      process.exitCode = 1;
    }
  }
  writeIdentity();
}

try {
  await main();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
}
