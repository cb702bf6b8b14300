/**
 * hull-ld: the linker by itself, for work on the libOS.
 *
 *   node build/hull-ld.js --libos dist/libos/x86_64 --embed PROGRAM --syscalls all -o IMAGE        binary image
 *   node build/hull-ld.js --libos dist/libos/x86_64 OBJ… LIB.a… -o IMAGE                           linked image
 *   node build/hull-ld.js OBJ… LIB.a… -o PROGRAM                                                   static executable
 *
 * Options: --with NAME (add a component), --without NAME, --entry NAME, --keep NAME, --defsym NAME=VALUE, --syscalls a,b,c|all,
 * --machine aarch64, --path GUEST_PATH, --gc, --no-gc, --strip, --unwind, --map FILE, --symbols FILE, --why NAME, --time.
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ComponentInput, type ComponentManifest, LinkError, linkExecutable, linkImage, type Machine } from '../compiler/link/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    libos: { type: 'string' },
    embed: { type: 'string' },
    path: { type: 'string' },
    syscalls: { type: 'string' },
    with: { type: 'string', multiple: true },
    without: { type: 'string', multiple: true },
    entry: { type: 'string' },
    keep: { type: 'string', multiple: true },
    defsym: { type: 'string', multiple: true },
    gc: { type: 'boolean' },
    'no-gc': { type: 'boolean' },
    strip: { type: 'boolean' },
    machine: { type: 'string' },
    unwind: { type: 'boolean' },
    map: { type: 'string' },
    symbols: { type: 'string' },
    why: { type: 'string' },
    time: { type: 'boolean' },
    output: { type: 'string', short: 'o' },
  },
});

function readComponents(directory: string): ComponentInput[] {
  const manifests = JSON.parse(readFileSync(join(directory, 'components.json'), 'utf8')) as ComponentManifest[];
  // The component that starts the other kind of program stays out.
  const excluded = new Set([values.embed ? 'linked' : 'exec', ...(values.without ?? [])]);
  return manifests
    .filter((manifest) => !excluded.has(manifest.name))
    .map((manifest) => ({ manifest, archive: readFileSync(join(directory, `${manifest.name}.a`)) }));
}

function main(): number {
  const output = values.output ?? 'a.out';
  const common = {
    ...(values.machine && { machine: values.machine as Machine }),
    inputs: positionals.map((name) => ({ name, bytes: readFileSync(name) })),
    ...(values.entry && { entry: values.entry }),
    ...(values.gc && { gc: true }),
    ...(values['no-gc'] && { gc: false }),
    strip: values.strip ?? false,
    keep: values.keep ?? [],
    defines: Object.fromEntries((values.defsym ?? []).map((text) => [text.split('=')[0] ?? '', BigInt(text.split('=')[1] ?? '0')])),
  };
  const components = values.libos ? readComponents(values.libos) : [];
  const embedded = values.embed ? readFileSync(values.embed) : undefined;
  const start = performance.now();
  const result = values.libos
    ? linkImage({
        ...common,
        components,
        activate: values.with ?? [],
        unwind: values.unwind ?? false,
        ...(embedded && { program: { bytes: embedded, path: values.path ?? values.embed ?? '' } }),
        ...(values.syscalls && { syscalls: values.syscalls === 'all' ? ('all' as const) : values.syscalls.split(',') }),
      })
    : linkExecutable(common);
  if (values.time) process.stderr.write(`linked in ${(performance.now() - start).toFixed(1)} ms, ${result.image.length} bytes\n`);
  writeFileSync(output, result.image);
  chmodSync(output, 0o755);
  if (values.map) writeFileSync(values.map, result.map);
  if (values.symbols) writeFileSync(values.symbols, result.symbols);
  for (const component of result.manifest.components) {
    if (values.why === component.name || values.why === 'all')
      process.stdout.write(`${component.name}: ${component.why.join('\n  -> ')}\n`);
  }
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof LinkError)) throw error;
  process.stderr.write(`hull-ld: ${error.message}\n`);
  process.exitCode = 1;
}
