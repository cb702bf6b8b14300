/**
 * `hull build [OPTIONS] CONTEXT`, a Dockerfile's image, and `hull build -o IMAGE PROGRAM`, a bootable image of one static executable. Owns: which of the two is
 * meant: a file that begins as an ELF file does is a program; everything else is a context.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { buildDockerfile } from '../engine/builds/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { type ParsedOptions, readValue } from './options.ts';

/** Options that mean something for one of the two only. */
const OF_PROGRAMS = ['add', 'omit', 'strip', 'map', 'symbols'];

function isProgram(path: string): boolean {
  if (!(statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)) return false;
  const head = Buffer.alloc(4);
  const fd = openSync(path, 'r');
  try {
    return readSync(fd, head, 0, 4, 0) === 4 && head.equals(Buffer.from('\x7fELF', 'latin1'));
  } finally {
    closeSync(fd);
  }
}

export async function buildCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const path = parsed.args[0];
  const isOld = OF_PROGRAMS.some((name) => parsed.values.has(name) || parsed.switches.has(name));
  if (path !== undefined && path !== '-' && (isOld || isProgram(path))) return buildProgram(path, parsed, context);
  const list = (name: string) => parsed.values.get(name) ?? [];
  const request = {
    context: path ?? '.',
    file: readValue(parsed, 'file'),
    tags: list('tag'),
    buildArgs: list('build-arg'),
    labels: list('label'),
    contexts: list('build-context'),
    secrets: list('secret'),
    ssh: list('ssh'),
    outputs: list('output'),
    target: readValue(parsed, 'target'),
    noCache: parsed.switches.get('no-cache') ?? false,
    pulls: parsed.switches.get('pull') ?? false,
    progress: readValue(parsed, 'progress') ?? 'auto',
    isQuiet: parsed.switches.get('quiet') ?? false,
    platform: readValue(parsed, 'platform'),
    network: readValue(parsed, 'network'),
    iidFile: readValue(parsed, 'iidfile'),
    env: context.env,
  };
  const id = await buildDockerfile(request, context.dist, process);
  if (request.isQuiet && id !== undefined) process.stdout.write(`${id}\n`);
  return 0;
}

async function buildProgram(path: string, parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const output = readValue(parsed, 'output');
  if (output === undefined || output === '') throw new UsageError('required flag "output" not set, expected -o IMAGE', 'hull build');
  // The compiler is large: a Dockerfile does without.
  const { buildProgramImage } = await import('../engine/toolchain/index.ts');
  buildProgramImage(path, output, `${context.dist}/libos`, {
    add: parsed.values.get('add') ?? [],
    leaveOut: parsed.values.get('omit') ?? [],
    strip: parsed.switches.get('strip') ?? false,
    map: readValue(parsed, 'map'),
    symbols: readValue(parsed, 'symbols'),
  });
  return 0;
}
