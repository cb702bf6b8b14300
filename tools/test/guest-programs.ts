// Builds the guest test programs, test/guest/*.c, for the tests that run them natively and in a machine: build/guest/<variant>/<name>.
// Variants: glibc (static), pie (static-pie glibc), musl (static), linked (hull cc); arm64-* are the same for AArch64, by clang and Debian's C libraries in a folder of their own. A comment "// variants: musl linked" limits them;
// "// flags: -O0 -lm" adds compiler flags.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { mapParallel, runCommand } from '../build/process.ts';
import { hashInputs, isCurrent, listFiles, writeStamp } from '../build/stamp.ts';

interface Variant {
  command: string[];
  inputs: string[];
  /** Behind the source and its own flags. */
  libraries: string[];
}

const VARIANTS: Record<string, Variant> = {
  glibc: { command: ['gcc', '-static', '-no-pie'], inputs: [], libraries: ['-lm'] },
  pie: { command: ['gcc', '-static-pie'], inputs: [], libraries: ['-lm'] },
  musl: { command: ['musl-gcc', '-static'], inputs: [], libraries: ['-lm'] },
  // A newer hull makes newer images.
  linked: { command: ['dist/hull', 'cc'], inputs: ['dist/hull', 'dist/sysroot/x86_64/lib/libc.a', 'dist/libos/x86_64/components.json'], libraries: ['-lm'] },
};

/** The same for AArch64. `root` is a root file system of arm64 with libc6-dev, musl-dev and libgcc-12-dev. clang makes loops of recursion otherwise, also where the stack is what is tested. */
function arm64Variants(root: string): Record<string, Variant> {
  const musl = `${root}/usr/lib/aarch64-linux-musl`;
  const gcc = `${root}/usr/lib/gcc/aarch64-linux-gnu/12`;
  const common = ['-fno-optimize-sibling-calls', '-static', '-fuse-ld=lld'];
  return {
    glibc: { command: ['clang', '--target=aarch64-linux-gnu', `--sysroot=${root}`, ...common], inputs: [], libraries: ['-lm'] },
    musl: {
      command: ['clang', '--target=aarch64-linux-musl', '-nostdlibinc', '-isystem', `${root}/usr/include/aarch64-linux-musl`, '-nostdlib', `-L${musl}`, ...common],
      inputs: [],
      libraries: [`${musl}/crt1.o`, `${musl}/libc.a`, `${gcc}/libgcc.a`, `${gcc}/libgcc_eh.a`, `${musl}/libc.a`],
    },
    linked: {
      command: ['dist/hull', 'cc', '--platform', 'linux/arm64', '-fno-optimize-sibling-calls'],
      inputs: ['dist/hull', 'dist/sysroot/aarch64/lib/libc.a', 'dist/libos/aarch64/components.json'],
      libraries: ['-lm'],
    },
  };
}

const FLAGS = ['-O1', '-g', '-Wall', '-Wextra', '-Itest/guest'];

function readDirective(text: string, name: string): string[] | undefined {
  const found = new RegExp(`^\\s*(?://|/?\\*)\\s*${name}:\\s*(.*?)(?:\\*/)?$`, 'm').exec(text)?.[1];
  return found?.split(/\s+/).filter(Boolean);
}

/** Builds what is not current; returns what went wrong. */
export const buildGuestPrograms = (): Promise<string[]> => buildVariants('', VARIANTS, 'x86_64', listPrograms());

/** Those of test/guest, by name, in each variant that they have; build/guest/arm64-VARIANT/NAME. */
export function buildArm64Programs(root: string, names: ReadonlySet<string>): Promise<string[]> {
  const wanted = listPrograms().filter(({ source, variant }) => variant !== 'pie' && names.has(basename(source, '.c')));
  return buildVariants('arm64-', arm64Variants(root), 'aarch64', wanted);
}

interface Job {
  source: string;
  variant: string;
  flags: string[];
}

function listPrograms(): Job[] {
  return listFiles('test/guest', ['.c']).flatMap((source) => {
    const text = readFileSync(source, 'utf8');
    const wanted = readDirective(text, 'variants') ?? Object.keys(VARIANTS);
    return wanted.map((variant) => ({ source, variant, flags: readDirective(text, 'flags') ?? [] }));
  });
}

async function buildVariants(prefix: string, variants: Record<string, Variant>, isa: string, jobs: Job[]): Promise<string[]> {
  const archives = listFiles(`dist/libos/${isa}`, ['.a']);
  const headers = listFiles('test/guest', ['.h']);
  const problems = await mapParallel(jobs, async ({ source, variant, flags }) => {
    const known = variants[variant];
    if (!known) return `Cannot build "${source}": no variant ${variant}, expected one of ${Object.keys(variants).join(', ')}`;
    const output = `build/guest/${prefix}${variant}/${basename(source, '.c')}`;
    const inputs = variant === 'linked' ? [...known.inputs, ...archives] : known.inputs;
    const command = [...known.command, ...FLAGS, source, '-o', output, ...flags, ...known.libraries];
    const stamp = `build/stamps/guest-${prefix}${variant}-${basename(source, '.c')}`;
    const hash = hashInputs(command, [source, ...headers, ...inputs.filter((input) => existsSync(input))]);
    if (isCurrent(stamp, hash, [output])) return undefined;
    mkdirSync(dirname(output), { recursive: true });
    const result = await runCommand(command[0] as string, command.slice(1));
    if (result.status !== 0) return `Cannot build "${output}": exit status ${result.status}, expected 0\n${result.stderr}`;
    writeStamp(stamp, hash);
    return undefined;
  });
  return problems.filter((problem) => problem !== undefined);
}
