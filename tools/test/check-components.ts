// Compares each libOS component's manifest with its sources: the calls that it lists are those that SYSCALL_DEFINE defines; each source
// file is some component's; what it requires exists and makes no loop to itself; it has a README. One component defines a call.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findComponentFolders } from '../build/components.ts';
import { listFiles } from '../build/stamp.ts';

interface Manifest {
  name: string;
  summary?: string;
  sources: string[];
  requires: string[];
  syscalls: Record<string, string>;
  programs?: string;
  instead?: { calls: string[] };
}

/** Calls that a text defines; comments are taken out first. */
function findDefinedCalls(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
  return [...code.matchAll(/\bSYSCALL_DEFINE\(\s*(\w+)/g)].map((match) => match[1] as string).filter((name) => name !== 'name');
}

export function checkComponents(isa = 'x86_64'): string[] {
  const problems: string[] = [];
  const owner = new Map<string, string>();
  const components = findComponentFolders(isa).map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(folder, 'component.json'), 'utf8')) as Manifest,
  }));
  const names = new Set(components.map(({ manifest }) => manifest.name));
  // A component that is absent in some images may keep its ISA's part in arch/<isa>, so a file there is another's when that one lists it.
  const listed = new Set(components.flatMap(({ folder, manifest }) => manifest.sources.map((source) => join(folder, source))));
  for (const { folder, manifest } of components) {
    const complain = (what: string) => problems.push(`Cannot accept "${folder}/component.json": ${what}`);
    const expected = folder.startsWith('libos/arch/') ? 'arch' : folder.slice('libos/'.length);
    if (manifest.name !== expected) complain(`its name is "${manifest.name}", expected "${expected}"`);
    if (!manifest.summary) complain('no summary, expected one line');
    if (!existsSync(join(folder, 'README.md'))) complain('no README.md beside it, expected one');
    for (const required of manifest.requires ?? []) {
      if (!names.has(required)) complain(`it requires "${required}", which is not there, expected a component`);
    }
    for (const file of listFiles(folder, ['.c', '.S'])) {
      if (!listed.has(file)) complain(`${file.slice(folder.length + 1)} is not among the sources of any component, expected each file to be`);
    }
    const own = manifest.sources.filter((source) => !source.includes(':')).map((source) => join(folder, source));
    const defined = new Set(own.filter((path) => existsSync(path)).flatMap((path) => findDefinedCalls(readFileSync(path, 'utf8'))));
    // What it does instead of another component is that one's call.
    for (const call of manifest.instead?.calls ?? []) {
      if (!defined.delete(call)) complain(`"${call}" is listed under instead but not defined, expected both`);
    }
    for (const call of defined) {
      if (!(call in (manifest.syscalls ?? {}))) complain(`"${call}" is defined but not listed under syscalls, expected both`);
      // A call may have one implementation in binary images and another in linked ones.
      for (const kind of manifest.programs ? [manifest.programs] : ['binary', 'linked']) {
        const other = owner.get(`${kind}:${call}`);
        if (other && other !== manifest.name) complain(`"${call}" is defined in ${other}, too, expected one component`);
        owner.set(`${kind}:${call}`, manifest.name);
      }
    }
    for (const [call, level] of Object.entries(manifest.syscalls ?? {})) {
      if (!defined.has(call)) complain(`"${call}" is listed under syscalls but not defined, expected both`);
      if (!/^(full|partial: .+)$/.test(level)) complain(`the level of "${call}" is "${level}", expected full or "partial: <what is missing>"`);
    }
  }
  return problems;
}
