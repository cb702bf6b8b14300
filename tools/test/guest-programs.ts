// Builds the guest test programs, test/guest/*.c, for the tests that run them natively and in a machine: build/guest/<variant>/<name>.
// Variants: glibc (static), pie (static-pie glibc), musl (static), linked (hull cc). A comment "// variants: musl linked" limits them;
// "// flags: -O0 -lm" adds compiler flags.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { mapParallel, runCommand } from '../build/process.ts';
import { hashInputs, isCurrent, listFiles, writeStamp } from '../build/stamp.ts';

const VARIANTS: Record<string, { command: string[]; inputs: string[] }> = {
  glibc: { command: ['gcc', '-static', '-no-pie'], inputs: [] },
  pie: { command: ['gcc', '-static-pie'], inputs: [] },
  musl: { command: ['musl-gcc', '-static'], inputs: [] },
  // A newer hull makes newer images.
  linked: { command: ['dist/hull', 'cc'], inputs: ['dist/hull', 'dist/sysroot/x86_64/lib/libc.a', 'dist/libos/x86_64/components.json'] },
};
const FLAGS = ['-O1', '-g', '-Wall', '-Wextra', '-Itest/guest'];

function readDirective(text: string, name: string): string[] | undefined {
  const found = new RegExp(`^\\s*(?://|/?\\*)\\s*${name}:\\s*(.*?)(?:\\*/)?$`, 'm').exec(text)?.[1];
  return found?.split(/\s+/).filter(Boolean);
}

/** Builds what is not current; returns what went wrong. */
export async function buildGuestPrograms(): Promise<string[]> {
  const archives = listFiles('dist/libos/x86_64', ['.a']);
  const jobs = listFiles('test/guest', ['.c']).flatMap((source) => {
    const text = readFileSync(source, 'utf8');
    const wanted = readDirective(text, 'variants') ?? Object.keys(VARIANTS);
    return wanted.map((variant) => ({ source, variant, flags: readDirective(text, 'flags') ?? [] }));
  });
  const headers = listFiles('test/guest', ['.h']);
  const problems = await mapParallel(jobs, async ({ source, variant, flags }) => {
    const known = VARIANTS[variant];
    if (!known) return `Cannot build "${source}": no variant ${variant}, expected one of ${Object.keys(VARIANTS).join(', ')}`;
    const output = `build/guest/${variant}/${basename(source, '.c')}`;
    const inputs = variant === 'linked' ? [...known.inputs, ...archives] : known.inputs;
    const command = [...known.command, ...FLAGS, source, '-o', output, ...flags, '-lm'];
    const stamp = `build/stamps/guest-${variant}-${basename(source, '.c')}`;
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
