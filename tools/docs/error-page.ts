// docs/errors.md: the error classes, their codes, and the exit status that each gives. Codes and their meanings are read from the unions
// `export type <Name>Code = | 'code' // meaning …`; the exit status comes from the engine's map itself.
import { readFileSync } from 'node:fs';
import { exitCodeOf } from '../../engine/index.ts';
import { listFiles } from '../build/stamp.ts';
import { makePage, makeTable, type Page } from './page.ts';

const FOLDERS = ['compiler', 'boot', 'images', 'engine', 'cli'];

interface ErrorClass {
  name: string;
  path: string;
  codes: { code: string; meaning: string }[];
}

function readErrorClasses(folders: readonly string[]): ErrorClass[] {
  return folders
    .flatMap((folder) => listFiles(folder, ['.ts']))
    .flatMap((path) =>
      [...readFileSync(path, 'utf8').matchAll(/^export type (\w+Error)Code =\n((?: {2}\| '[^']+';?(?: +\/\/.*)?\n)+)/gm)].map((match) => ({
        name: match[1] as string,
        path,
        codes: [...(match[2] as string).matchAll(/'([^']+)';?(?: +\/\/ *(.*))?/g)].map((code) => ({ code: code[1] as string, meaning: code[2] ?? '' })),
      })),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every class needs a union of codes that can be read, and each code a meaning. */
export function findErrorProblems(): string[] {
  const known = new Set(readErrorClasses(FOLDERS).map((each) => each.name));
  const problems: string[] = [];
  for (const { name, path, codes } of readErrorClasses(FOLDERS)) {
    for (const { code, meaning } of codes) {
      if (meaning === '') problems.push(`Cannot document "${code}" of ${name} (${path}): no comment behind it, expected its meaning`);
    }
  }
  for (const path of FOLDERS.flatMap((folder) => listFiles(folder, ['.ts']))) {
    for (const match of readFileSync(path, 'utf8').matchAll(/^export class (\w+Error) extends/gm)) {
      const name = match[1] as string;
      if (!known.has(name) && name !== 'UsageError') problems.push(`Cannot document "${name}" (${path}): no type ${name}Code with a code a line, expected one`);
    }
  }
  return problems;
}

export function makeErrorPage(): Page {
  const parts = readErrorClasses(FOLDERS).map(({ name, path, codes }) => {
    const rows = codes.map(({ code, meaning }) => [`\`${code}\``, meaning, String(exitCodeOf({ name, code }))]);
    return `## ${name}\n\n[${path}](../${path})\n\n${makeTable(['code', 'what happened', 'exit status'], rows)}`;
  });
  return makePage('docs/errors.md', 'Exit statuses and errors', "the error classes' codes and the map in `engine/errors.ts`", [
    makeTable(
      ['exit status', 'what happened'],
      [
        ['that of the program', 'it ran and ended'],
        ['128 + n', 'signal n ended the program, or `hull` before the program could take it; 137 when it was killed'],
        ['125', 'hull, or the virtual machine, failed; also options that `hull` does not understand'],
        ['126', 'the program is there and cannot be run'],
        ['127', 'there is no such program'],
        ['1', '`hull cc`: the compiler or the linker found an error in the program'],
      ],
    ),
    'A message says what could not be done, what was found, and what was expected: `Cannot <action> "<value>": <what is>, expected <what should be>`.',
    ...parts,
  ]);
}
