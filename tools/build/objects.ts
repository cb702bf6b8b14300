// Compiles C and assembly files to objects and objects to an archive, incrementally. Beside each object lie its dependency list
// (as the compiler wrote it) and a stamp over command line and contents of all dependencies.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { mapParallel, mustRun } from './process.ts';
import { hashInputs, isCurrent, writeStamp } from './stamp.ts';
import type { Toolchain } from './toolchain.ts';

export interface Unit {
  source: string;
  object: string;
  flags: string[];
}

/** Reads a make rule "object: dep dep \ dep". */
function readDependencies(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .replace(/\\\n/g, ' ')
    .replace(/^[^:]*:/, '')
    .split(/(?<!\\)\s+/)
    .filter(Boolean)
    .map((name) => name.replace(/\\ /g, ' '));
}

async function compileUnit(tools: Toolchain, unit: Unit): Promise<boolean> {
  const depfile = `${unit.object}.d`;
  const stamp = `${unit.object}.stamp`;
  const command = [tools.version, tools.cc, ...unit.flags];
  if (isCurrent(stamp, hashInputs(command, readDependencies(depfile)), [unit.object])) return false;
  mkdirSync(dirname(unit.object), { recursive: true });
  rmSync(stamp, { force: true });
  await mustRun(tools.cc, [...unit.flags, '-MD', '-MF', depfile, '-c', '-o', unit.object, unit.source]);
  writeStamp(stamp, hashInputs(command, readDependencies(depfile)));
  return true;
}

/** Compiles all units, then makes the archive when one changed or it is not there. Returns the number compiled. */
export async function buildArchive(tools: Toolchain, archive: string, units: Unit[]): Promise<number> {
  const compiled = (await mapParallel(units, (unit) => compileUnit(tools, unit))).filter(Boolean).length;
  const objects = units.map((unit) => unit.object);
  const listing = hashInputs([...objects, tools.version], objects);
  const stamp = `build/stamps/${archive.replaceAll('/', '_')}`;
  if (isCurrent(stamp, listing, [archive])) return compiled;
  mkdirSync(dirname(archive), { recursive: true });
  mkdirSync('build/tmp', { recursive: true });
  const response = `build/tmp/${archive.replaceAll("/", "_")}.${process.pid}.rsp`;
  writeFileSync(response, objects.map((object) => `"${object}"`).join('\n'));
  const fresh = `${archive}.${process.pid}.new`;
  rmSync(fresh, { force: true });
  await mustRun(tools.ar, ['rcsD', fresh, `@${response}`]);
  rmSync(response);
  renameSync(fresh, archive);
  writeStamp(stamp, listing);
  return compiled;
}
