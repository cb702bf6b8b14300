/** `hull inspect`: what is in an image file or what a program needs; or an instance, as docker describes a container. */
import { existsSync } from 'node:fs';
import { describeError, EngineError, findStatePaths, isProgramPath, type StatePaths } from '../engine/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { parseTemplate } from './templates.ts';
import { writeOut } from './write-out.ts';

const COMMAND = 'hull inspect';
/** Digits of an ID in tables. */
const SHORT_ID = 12;

async function inspectFile(program: string, parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const format = readValue(parsed, 'format');
  if (format !== undefined && format !== 'text' && format !== 'json') {
    throw new EngineError('option-invalid', `invalid argument "${format}" for "--format" of the file "${program}": expected text or json`);
  }
  const { inspectProgram } = await import('../engine/toolchain/index.ts');
  const request = { program, rootfs: readValue(parsed, 'rootfs'), libos: `${context.dist}/libos`, env: context.env };
  await writeOut(inspectProgram(request, parsed.switches.get('json') === true || format === 'json'));
  return 0;
}

async function findImage(name: string, paths: StatePaths): Promise<Record<string, unknown> | undefined> {
  const { describeImage, openImages } = await import('../engine/ship/index.ts');
  try {
    const image = openImages(paths).find(name);
    return image === undefined ? undefined : describeImage(image);
  } catch (error) {
    if ((error as { code?: string }).code === 'reference-invalid') return undefined; // not an image's name either
    throw error;
  }
}

/** Docker's output for those that are there, its words for the others. */
async function inspectInstances(names: readonly string[], parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const { describeUse, findInstance, inspectInstance } = await import('../engine/instances/index.ts');
  const paths = findStatePaths(context.env);
  const found: Record<string, unknown>[] = [];
  const missing: string[] = [];
  const type = readValue(parsed, 'type');
  for (const name of names) {
    try {
      if (type === 'image') throw new EngineError('instance-missing', `No such image: ${name}`);
      const instance = await findInstance(paths, name);
      found.push({ ...inspectInstance(instance, paths.volumes), ...(parsed.switches.get('size') === true ? describeUse(instance) : {}) });
    } catch (error) {
      if ((error as { code?: string }).code !== 'instance-missing') throw error;
      const image = type === 'container' ? undefined : await findImage(name, paths);
      if (image !== undefined) {
        found.push(image);
        continue;
      }
      missing.push(names.length === 1 && type === undefined ? `No such object: ${name}` : describeError(error));
    }
  }
  const format = readValue(parsed, 'format');
  const isTemplate = format !== undefined && format !== 'json';
  if (isTemplate) {
    const template = parseTemplate(format, COMMAND);
    await writeOut(found.map((each) => `${template.apply(each)}\n`).join(''));
  } else await writeOut(format === 'json' ? `${JSON.stringify(found)}\n` : `${JSON.stringify(found, null, 4)}\n`);
  for (const line of missing) process.stderr.write(`hull: ${line}\n`);
  return missing.length === 0 ? 0 : 1;
}

/** Whether there is a container or an image of this name. The first digits of an ID count where they are as many as are shown: fewer are a file's name as well. */
async function isKnown(name: string, paths: StatePaths): Promise<boolean> {
  const { findInstance } = await import('../engine/instances/index.ts');
  const instance = await findInstance(paths, name).catch(() => undefined);
  if (instance !== undefined && (instance.config.name === name || name.length >= SHORT_ID)) return true;
  return (await findImage(name, paths)) !== undefined;
}

/** A file is what only a file can be: what is asked with options for files, or has a slash. Another name is a file's when nothing else has it: files of the working directory hide nothing. */
async function isFileMeant(name: string, parsed: ParsedOptions, context: CommandContext): Promise<boolean> {
  if (readValue(parsed, 'rootfs') !== undefined || parsed.switches.get('json') === true || (name.includes('/') && isProgramPath(name))) return true;
  return existsSync(name) && !(await isKnown(name, findStatePaths(context.env)));
}

export async function inspectCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const [first, ...rest] = parsed.args as [string, ...string[]];
  const isFile = readValue(parsed, 'type') === undefined && rest.length === 0 && (await isFileMeant(first, parsed, context));
  return isFile ? inspectFile(first, parsed, context) : inspectInstances(parsed.args, parsed, context);
}
