/** `hull cp`: files between this host and an instance. Owns: which name the copy gets, by the rules of docker's command line ("docker container cp": files, directories, "/.", "-"). */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, posix, resolve } from 'node:path';
import { EngineError } from '../engine/index.ts';
import { copyHostFiles, extractEntries, type InstancePathStat, readInstanceArchive, readInstanceEntries, statInstancePath, writeInstanceArchive } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { UsageError } from './errors.ts';
import { formatBytesShort } from './human.ts';
import type { ParsedOptions } from './options.ts';
import { writeTo } from './write-out.ts';

const COMMAND = 'hull cp';
const ROOT = { uid: 0, gid: 0 };
const GO_FOLDER = 2 ** 31;

/** "web:/etc" names a file of an instance; "./a:b" and "/a:b" are files here. */
function splitPlace(text: string): { readonly instance?: string; readonly path: string } {
  if (/^[./]/.test(text) || text === '-') return { path: text };
  const at = text.indexOf(':');
  return at < 0 ? { path: text } : { instance: text.slice(0, at), path: text.slice(at + 1) };
}

const endsAsFolder = (path: string) => /(^|\/)\.?$/.test(path);
const isContent = (path: string) => /(^|\/)\.$/.test(path);

/** Where a copy goes: into this directory, under this name ("": what is in it, without itself). */
function chooseTarget(source: { isFolder: boolean; path: string; name: string }, target: { kind: 'folder' | 'file' | undefined; path: string; parent: string; name: string }): { folder: string; name: string } {
  if (target.kind === 'folder') return { folder: target.path, name: source.isFolder && isContent(source.path) ? '' : source.name };
  if (target.kind === 'file' && source.isFolder) throw new EngineError('option-invalid', 'cannot copy directory');
  if (target.kind === 'file' && endsAsFolder(target.path)) throw new EngineError('option-invalid', 'not a directory');
  if (target.kind === undefined && !source.isFolder && /\/$/.test(target.path)) throw new EngineError('option-invalid', 'no such directory');
  return { folder: target.parent, name: target.name };
}

const isFolder = ({ mode }: InstancePathStat) => mode >= GO_FOLDER;

async function lookInside(instance: string, env: NodeJS.ProcessEnv, path: string): Promise<InstancePathStat | undefined> {
  try {
    return await statInstancePath(instance, env, path.replace(/\/+\.?$/, '') || '/', true);
  } catch (error) {
    if ((error as { code?: string }).code === 'path-missing') return undefined;
    throw error;
  }
}

async function copyOut(instance: string, path: string, target: string, options: { follows: boolean; withOwners: boolean }, { env }: CommandContext): Promise<number> {
  if (target === '-') {
    const { archive } = await readInstanceArchive(instance, env, path);
    for await (const chunk of archive) await writeTo(process.stdout, chunk);
    return -1;
  }
  const stat = await statInstancePath(instance, env, path, options.follows);
  const known = statSync(target, { throwIfNoEntry: false });
  const parent = dirname(resolve(target));
  if (known === undefined && statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true) throw new EngineError('option-invalid', `invalid output path: directory ${parent} does not exist`);
  const kind = known === undefined ? undefined : known.isDirectory() ? 'folder' : 'file';
  const { folder, name } = chooseTarget({ isFolder: isFolder(stat), path, name: stat.name === '/' ? '' : stat.name }, { kind, path: target, parent, name: basename(resolve(target)) });
  const { bytes, left } = await readInstanceEntries(instance, env, path, name, options.follows, (entries) => extractEntries(entries, resolve(folder), { withOwners: options.withOwners }));
  for (const each of left) process.stderr.write(`hull: left out: ${each}: device nodes and pipes cannot be made here\n`);
  return bytes;
}

async function copyIn(source: string, instance: string, path: string, options: { follows: boolean; withOwners: boolean }, context: CommandContext): Promise<number> {
  const owner = options.withOwners ? undefined : ROOT;
  const there = await lookInside(instance, context.env, path);
  const target = posix.resolve('/', path);
  if (source === '-') {
    if (there === undefined || !isFolder(there)) throw new EngineError('option-invalid', `destination "${instance}:${path}" must be a directory`);
    await writeInstanceArchive(instance, context, target, process.stdin, { owner });
    return -1;
  }
  const at = options.follows ? realpathSync(source) : resolve(source);
  const stat = endsAsFolder(source) ? statSync(source, { throwIfNoEntry: false }) : lstatSync(at, { throwIfNoEntry: false });
  if (stat === undefined) throw new EngineError('option-invalid', `lstat ${resolve(source)}: no such file or directory`);
  const kind = there === undefined ? undefined : isFolder(there) ? 'folder' : 'file';
  if (there === undefined && (await lookInside(instance, context.env, posix.dirname(target))) === undefined) {
    throw new EngineError('path-missing', `Could not find the file ${posix.dirname(target)} in container ${instance}`);
  }
  const { folder, name } = chooseTarget({ isFolder: stat.isDirectory(), path: source, name: basename(resolve(source)) }, { kind, path: kind === 'folder' ? target : path, parent: posix.dirname(target), name: posix.basename(target) });
  return await copyHostFiles(instance, context, endsAsFolder(source) ? realpathSync(at) : at, { folder, name }, { owner, keepsKinds: true });
}

export async function cpCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [source, target] = (parsed.args as [string, string]).map(splitPlace) as [ReturnType<typeof splitPlace>, ReturnType<typeof splitPlace>];
  const options = { follows: parsed.switches.get('follow-link') === true, withOwners: parsed.switches.get('archive') === true };
  if (source.path === '' || target.path === '') throw new UsageError(source.path === '' ? 'source can not be empty' : 'destination can not be empty', COMMAND);
  if (source.instance !== undefined && target.instance !== undefined) throw new EngineError('option-invalid', 'copying between containers is not supported');
  if (source.instance === undefined && target.instance === undefined) throw new UsageError('must specify at least one container source', COMMAND);
  const bytes =
    source.instance !== undefined ? await copyOut(source.instance, source.path, target.path, options, context) : await copyIn(source.path, target.instance as string, target.path, options, context);
  if (bytes >= 0 && parsed.switches.get('quiet') !== true && process.stdout.isTTY === true) {
    process.stderr.write(`Successfully copied ${formatBytesShort(bytes)} to ${target.instance === undefined ? resolve(target.path) : `${target.instance}:${target.path}`}\n`);
  }
  return 0;
}
