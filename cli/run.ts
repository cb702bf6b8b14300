/** `hull run`: options -> a run request. Owns: defaults and the reading of environment files. */
import { readFileSync } from 'node:fs';
import { type Accelerator, describeSystemError, EngineError, isProgramPath, type MachineKind, parseMountOption, parseTmpfsOption, parseVolumeOption, type RunRequest, runProgram } from '../engine/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { parseCount, parseMemory, parseSignal, parseUser } from './quantities.ts';
import { UsageError } from './errors.ts';

const COMMAND = 'hull run';
const DEFAULT_MEMORY = 256 * 1024 * 1024;

/** A file of NAME=VALUE or NAME lines; blank lines and those that begin with # say nothing. */
export function readLines(path: string, what: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EngineError('option-invalid', `Cannot read "${path}": ${describeSystemError(error)}, expected a file of NAME=VALUE lines`, { cause: error });
  }
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, '').trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const name = line.split('=', 1)[0] as string;
      if (name === '' || /\s/.test(name)) throw new UsageError(`invalid ${what} file ${path}: variable '${name}' contains whitespaces or is empty`, COMMAND);
      return line;
    });
}

/** What sethostname(2) takes and /etc/hosts can hold. */
function parseHostname(text: string): string {
  if (text === '' || text.length > 64 || /[^\w.-]/.test(text)) {
    throw new UsageError(`invalid argument "${text}" for "-h, --hostname" flag: invalid hostname, expected 1 to 64 letters, digits, dots and hyphens`, COMMAND);
  }
  return text;
}

export async function runCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  if (parsed.switches.get('detach') === true) return (await import('./create.ts')).runDetached(parsed, context);
  const code = await runProgram(readRunRequest(parsed, COMMAND), context);
  context.keepCode(); // of all verbs, for the one whose start counts: what it needs is compiled now
  return code;
}

export function readRunRequest(parsed: ParsedOptions, command: string): RunRequest {
  const memory = readValue(parsed, 'memory');
  const cpus = readValue(parsed, 'cpus');
  const stopSignal = readValue(parsed, 'stop-signal');
  const stopTimeout = readValue(parsed, 'stop-timeout');
  const user = readValue(parsed, 'user');
  const workdir = readValue(parsed, 'workdir');
  const isImage = readValue(parsed, 'rootfs') === undefined && !isProgramPath(parsed.args[0] as string);
  const hostname = readValue(parsed, 'hostname');
  const readAll = (name: string) => parsed.values.get(name) ?? [];
  const env = [...readAll('env-file').flatMap((path) => readLines(path, 'environment')), ...readAll('env')];
  for (const entry of env) {
    if (entry === '' || entry.startsWith('=')) throw new UsageError(`invalid environment variable: ${entry}`, command);
  }
  if (workdir !== undefined && !workdir.startsWith('/')) {
    throw new UsageError(`the working directory '${workdir}' is invalid, it needs to be an absolute path`, command);
  }
  if (cpus !== undefined && parseCount(cpus, 'cpus', 1, command) !== 1) {
    throw new UsageError(`invalid argument "${cpus}" for "--cpus" flag: expected 1, machines have one CPU`, command);
  }
  return {
      program: parsed.args[0] as string,
      platform: readValue(parsed, 'platform'),
      rootfs: readValue(parsed, 'rootfs'),
      writable: readValue(parsed, 'writable'),
      args: parsed.args.slice(1),
      entrypoint: readValue(parsed, 'entrypoint'),
      env,
      workdir,
      mounts: [
        ...(parsed.values.get('volume') ?? []).map(parseVolumeOption),
        ...(parsed.values.get('mount') ?? []).map(parseMountOption),
        ...(parsed.values.get('tmpfs') ?? []).map(parseTmpfsOption),
      ],
      hostname: hostname === undefined ? undefined : parseHostname(hostname),
      name: readValue(parsed, 'name'),
      network: {
        network: readValue(parsed, 'network'),
        publish: readAll('publish'),
        ip: readValue(parsed, 'ip'),
        dns: readAll('dns'),
        dnsSearch: readAll('dns-search'),
        dnsOptions: readAll('dns-option'),
        addHosts: readAll('add-host'),
        aliases: readAll('network-alias'),
      },
      expose: readAll('expose'),
      publishAll: parsed.switches.get('publish-all') === true,
      // Only an image has names of users.
      user: user === undefined || isImage ? undefined : parseUser(user, command),
      userName: user,
      memory: memory === undefined ? DEFAULT_MEMORY : parseMemory(memory, command),
      isMemoryGiven: memory !== undefined,
      cpus: 1,
      vmm: readValue(parsed, 'vmm') as 'qemu' | 'xen' | undefined,
      machine: readValue(parsed, 'machine') as MachineKind | undefined,
      isMachineGiven: readValue(parsed, 'machine') !== undefined,
      accelerator: (readValue(parsed, 'accel') ?? 'auto') as Accelerator | 'auto',
      qemu: readValue(parsed, 'qemu'),
      gdb: readValue(parsed, 'gdb'),
      tty: parsed.switches.get('tty') === true,
      readOnly: parsed.switches.get('read-only'),
      trace: readValue(parsed, 'trace'),
      verbose: parsed.switches.get('verbose') === true,
      stopSignal: stopSignal === undefined ? undefined : parseSignal(stopSignal, command),
      stopTimeout: stopTimeout === undefined ? undefined : parseCount(stopTimeout, 'stop-timeout', 0, command) * 1000,
  };
}
