/** `hull create` and `hull run -d`: options -> a spec of an instance. Owns: what is resolved when it is created, so that a later start needs nothing of the shell that asked for it. */
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInstance, type InstanceSpec, removeInstance, startInstance } from '../engine/instances/index.ts';
import { applyImage, EngineError, listExposed, openProgram, type RunRequest } from '../engine/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { parseLabels } from './labels.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { parseCount, parseDuration } from './quantities.ts';
import { readLines, readRunRequest } from './run.ts';
import { writeOut } from './write-out.ts';

export function parseRestartPolicy(text: string, command: string): InstanceSpec['restart'] {
  const [name = '', count, ...rest] = text.split(':');
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(name) || rest.length > 0) {
    throw new UsageError(`invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`, command);
  }
  if (count !== undefined && name !== 'on-failure') throw new UsageError(`invalid restart policy: maximum retry count can only be used with 'on-failure'`, command);
  if (count !== undefined && !/^\d+$/.test(count)) throw new UsageError(`invalid restart policy: maximum retry count must be an integer`, command);
  return { name: (name === '' ? 'no' : name) as InstanceSpec['restart']['name'], most: Number(count ?? 0) };
}

function readHealth(parsed: ParsedOptions, command: string): InstanceSpec['health'] {
  const test = readValue(parsed, 'health-cmd');
  const isOff = parsed.switches.get('no-healthcheck') === true;
  const time = (name: string) => {
    const text = readValue(parsed, name);
    return text === undefined ? undefined : Math.round(parseDuration(text, name, command) * 1e6);
  };
  const retries = readValue(parsed, 'health-retries');
  const values = {
    interval: time('health-interval'),
    timeout: time('health-timeout'),
    startPeriod: time('health-start-period'),
    startInterval: time('health-start-interval'),
    retries: retries === undefined ? undefined : parseCount(retries, 'health-retries', 0, command),
  };
  const isAsked = test !== undefined || Object.values(values).some((value) => value !== undefined);
  if (isOff && isAsked) throw new UsageError('--no-healthcheck conflicts with --health-* options', command);
  if (isOff) return { test: ['NONE'] };
  return isAsked ? { test: test === undefined ? [] : ['CMD-SHELL', test], ...values } : undefined;
}

function readLogging(parsed: ParsedOptions, command: string): InstanceSpec['logging'] {
  const driver = readValue(parsed, 'log-driver');
  const options = (parsed.values.get('log-opt') ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at <= 0) throw new UsageError(`invalid argument "${text}" for "--log-opt" flag: expected NAME=VALUE`, command);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return driver === undefined && options.length === 0 ? undefined : { driver: driver ?? 'json-file', options: Object.fromEntries(options) };
}

export async function makeInstanceSpec(parsed: ParsedOptions, command: string, context: CommandContext): Promise<InstanceSpec> {
  const { env } = context;
  const asked = readRunRequest(parsed, command);
  if (asked.vmm === 'xen') throw new UsageError('--vmm xen is for foreground runs: a domain is followed by who started it', command);
  const typed = await applyImage(asked, context);
  const readAll = (name: string) => parsed.values.get(name) ?? [];
  const { image } = typed;
  const program = typed.rootfs === undefined && image === undefined ? resolve(typed.program) : typed.program;
  if (typed.rootfs === undefined && image === undefined) openProgram(typed.program); // its errors now, not at the start
  else if (typed.rootfs !== undefined && !existsSync(typed.rootfs)) throw new EngineError('option-invalid', `Cannot use "${typed.rootfs}" as a root file system: no such directory, expected one`);
  const openStdin = parsed.switches.get('interactive') === true;
  const request: RunRequest = {
    ...typed,
    program,
    entrypoint: typed.entrypoint ?? typed.program,
    rootfs: typed.rootfs === undefined ? undefined : resolve(typed.rootfs),
    env: typed.env.flatMap((entry) => (entry.includes('=') ? [entry] : env[entry] === undefined ? [] : [`${entry}=${env[entry]}`])),
    stdin: openStdin || typed.tty,
    name: undefined,
  };
  const autoRemove = parsed.switches.get('rm') === true;
  const restart = parseRestartPolicy(readValue(parsed, 'restart') ?? 'no', command);
  if (autoRemove && restart.name !== 'no') throw new UsageError('conflicting options: cannot specify both --restart and --rm', command);
  if (parsed.switches.get('init') === true) process.stderr.write('hull: --init is ignored: the libOS takes in orphans and forwards signals by itself\n');
  return {
    name: readValue(parsed, 'name'),
    request,
    image: image?.name ?? typed.program,
    imageId: image?.id,
    openStdin,
    exec: parsed.switches.get('exec') === true,
    labels: { ...image?.labels, ...parseLabels([...readAll('label-file').flatMap((path) => readLines(path, 'label')), ...readAll('label')]) },
    stopSignal: typed.stopSignal,
    stopTimeout: typed.stopTimeout === undefined ? undefined : typed.stopTimeout / 1000,
    restart,
    health: readHealth(parsed, command),
    logging: readLogging(parsed, command),
    autoRemove,
    exposed: listExposed(typed),
  };
}

export async function createCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const id = await createFrom(parsed, 'hull create', context);
  await writeOut(`${id}\n`);
  return 0;
}

async function createFrom(parsed: ParsedOptions, command: string, context: CommandContext): Promise<string> {
  const cidfile = readValue(parsed, 'cidfile');
  if (cidfile !== undefined && existsSync(cidfile)) {
    throw new EngineError('option-invalid', `container ID file found, make sure the other container isn't running or delete ${cidfile}`);
  }
  const { id } = await createInstance(await makeInstanceSpec(parsed, command, context), context);
  if (cidfile !== undefined) {
    try {
      writeFileSync(cidfile, id, { flag: 'wx' });
    } catch (error) {
      await removeInstance(id, context.env);
      throw new EngineError('option-invalid', `failed to create the container ID file: ${(error as Error).message}`, { cause: error });
    }
  }
  return id;
}

/** `hull run -d` */
export async function runDetached(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const id = await createFrom(parsed, 'hull run', context);
  const isVerbose = parsed.switches.get('verbose') === true;
  try {
    await startInstance(id, context, {
      notice: (line) => process.stderr.write(`hull: ${line}\n`),
      say: (line) => {
        if (isVerbose) process.stderr.write(`hull: ${line}\n`);
      },
    });
  } catch (error) {
    // Docker leaves what could not be started, unless it was to go.
    if (parsed.switches.get('rm') === true) await removeInstance(id, context.env, { force: true, volumes: true }).catch(() => {});
    throw error;
  }
  await writeOut(`${id}\n`);
  return 0;
}
