// No code of an instruction set or a platform stands outside its folder. libos/arch/<isa> and libos/musl/<isa> may hold what only that CPU knows; a component
// whose manifest names a "platform" (pc, xen, virt) may reach that platform's ports and calls; everything else is the same for all. docs/porting.md names each file of an
// instruction set.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listFiles } from '../build/stamp.ts';

const ISAS = readdirSync('libos/arch', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const PORTING = 'docs/porting.md';
const ISA_FOLDERS = ISAS.flatMap((isa) => [`libos/arch/${isa}/`, `libos/musl/${isa}/`]);

/** Names that only one instruction set has; the short ones only of a saved frame. */
const ISA_CODE: readonly [pattern: RegExp, what: string][] = [
  [/\b__(?:x86_64|aarch64|riscv|i386|arm)__\b/, 'a macro of an instruction set'],
  [/\b(?:r[abcd]x|r[sd]i|r[sb]p|rip|e[abcd]x|rflags|cr[0234]|[fg]s_base|elr_el1|ttbr[01]_el1)\b/, 'a register'],
  [/\bframe(?:->|\.)(?:r8|r9|r1[0-5]|x\d*|vector|error|cs|ss|pc|sp|pstate|syndrome)\b/, 'a register of a saved frame'],
  [/\b(?:cpuid|msr_read|msr_write)\s*\(/, 'an instruction of one CPU'],
];
const PLATFORM_CODE: readonly [pattern: RegExp, what: string][] = [
  [/\bport_(?:in|out)(?:8|16|32)\w*\s*\(/, 'port I/O'],
  [/\bxen_hypercall\w*\s*\(/, 'a hypercall'],
];

/** Comments out; strings stay, since assembly is in them. Line breaks stay. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\*[\s\S]*?\*\/|\/\/.*$/gm, (match) => (match.startsWith('"') ? match : match.replace(/[^\n]/g, ' ')));
}

/** Assembly that the compiler gets: barriers without instructions and directives alone are no CPU's. */
function* findInstructions(code: string): Generator<number> {
  for (const match of code.matchAll(/\b(?:__asm__|asm)\b(?:\s*(?:volatile|__volatile__|goto))?\s*\(\s*((?:"(?:[^"\\\n]|\\.)*"\s*)*)/g)) {
    // A declarator's asm("name") names a symbol: a word alone, behind a closing parenthesis or a name.
    const template = [...(match[1] ?? '').matchAll(/"((?:[^"\\\n]|\\.)*)"/g)].map(([, part]) => part).join('');
    const lines = template.split(/\\n|;/).map((line) => line.replaceAll('\\t', ' ').trim());
    if (/^\s*[\w.]*$/.test(template) && !/volatile/.test(match[0])) continue;
    if (lines.some((line) => line !== '' && !line.startsWith('.'))) yield match.index;
  }
}

/** What stands in the wrong place in a file: line numbers and what it is. */
export function findMisplaced(path: string, text: string, platform: string | undefined): string[] {
  if (ISA_FOLDERS.some((folder) => path.startsWith(folder))) return [];
  const code = withoutComments(text);
  const bare = code.replace(/"(?:[^"\\\n]|\\.)*"/g, (match) => ' '.repeat(match.length));
  const lineOf = (index: number) => code.slice(0, index).split('\n').length;
  const problems: [line: number, what: string][] = [...findInstructions(code)].map((index) => [lineOf(index), 'inline assembly']);
  for (const [pattern, what] of [...ISA_CODE, ...(platform === undefined ? PLATFORM_CODE : [])]) {
    for (const match of bare.matchAll(new RegExp(pattern, 'g'))) problems.push([lineOf(match.index), `${what} (${match[0].trim()})`]);
  }
  return problems.map(([line, what]) => `Cannot accept "${path}:${line}": ${what}, expected it in libos/arch/<isa>, or, of a platform, in a component that names it`);
}

function readPlatform(folder: string): string | undefined {
  const manifest = join(folder, 'component.json');
  return existsSync(manifest) ? (JSON.parse(readFileSync(manifest, 'utf8')) as { platform?: string }).platform : undefined;
}

export function checkPlaces(): string[] {
  const problems = listFiles('libos', ['.c', '.h', '.S']).flatMap((path) => {
    const folder = path.split('/').slice(0, 2).join('/');
    if (path.endsWith('.S')) {
      return ISA_FOLDERS.some((each) => path.startsWith(each)) ? [] : [`Cannot accept "${path}": assembly, expected it in libos/arch/<isa>`];
    }
    return findMisplaced(path, readFileSync(path, 'utf8'), readPlatform(folder));
  });
  const page = readFileSync(PORTING, 'utf8');
  const unnamed = ISAS.flatMap((isa) => listFiles(`libos/arch/${isa}`, ['.c', '.h', '.S'])).filter((path) => !page.includes(`\`${basename(path)}\``));
  return [...problems, ...unnamed.map((path) => `Cannot accept "${path}": ${PORTING} does not name it, expected what it provides there`)];
}
