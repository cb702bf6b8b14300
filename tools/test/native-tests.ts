// Builds test/libos/native/*.c with AddressSanitizer and UBSan for this machine and runs them: libOS logic that needs no hardware.
// A test names the libOS files that it tests in a comment of its own: "// sources: libos/vm/areas.c libos/lib/string.c".
// "// components: lwip inet" takes all sources of these components, with their includes.
// Exit status 0 means passed; what it prints is shown when it fails.
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { mapParallel, runCommand } from '../build/process.ts';
import { fetchedSource } from '../build/sources.ts';
import { listFiles } from '../build/stamp.ts';

export interface NativeResult {
  name: string;
  problem?: string;
}

const FLAGS = ['-std=c2x', '-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-ftrivial-auto-var-init=pattern', '-Wall', '-Wextra', '-DHULL_NATIVE'];
const INCLUDES = ['-Itest/libos/native', '-Ilibos', '-Ilibos/arch/x86_64'];
const MOST_SECONDS = '300';

/** A component's sources and include paths, as the build has them. */
function readComponent(name: string): string[] {
  const folder = join('libos', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'component.json'), 'utf8')) as { sources: string[]; includes?: string[] };
  const place = (item: string) => {
    const [origin, path] = item.split(':');
    return path !== undefined && origin ? join(fetchedSource(origin), path) : join(folder, item);
  };
  return [...(manifest.includes ?? []).map((item) => `-I${place(item)}`), ...manifest.sources.map(place)];
}

async function runNativeTest(cc: string, path: string): Promise<NativeResult> {
  const name = basename(path, '.c');
  const text = readFileSync(path, 'utf8');
  const sources = (/^(?:\/\/|\s\*|\/\*)\s*sources:\s*(.*?)(?:\*\/)?$/m.exec(text)?.[1] ?? '').split(/\s+/).filter(Boolean);
  const flags = (/^(?:\/\/|\s\*|\/\*)\s*flags:\s*(.*?)(?:\*\/)?$/m.exec(text)?.[1] ?? '').split(/\s+/).filter(Boolean);
  const components = (/^(?:\/\/|\s\*|\/\*)\s*components:\s*(.*?)(?:\*\/)?$/m.exec(text)?.[1] ?? '').split(/\s+/).filter(Boolean);
  const program = `build/test/native/${name}`;
  const compiled = await runCommand(cc, [...FLAGS, ...INCLUDES, ...flags, '-o', program, path, ...sources, ...components.flatMap(readComponent)]);
  if (compiled.status !== 0) return { name, problem: compiled.stderr };
  const ran = await runCommand('timeout', [MOST_SECONDS, program]);
  return ran.status === 0 ? { name } : { name, problem: `exit status ${ran.status}\n${ran.stdout}${ran.stderr}` };
}

export function runNativeTests(cc: string): Promise<NativeResult[]> {
  mkdirSync('build/test/native', { recursive: true });
  return mapParallel(listFiles('test/libos/native', ['.test.c']), (path) => runNativeTest(cc, path));
}
