/** A report as text for people: one block a question. Owns wording and columns only; the JSON form is the report itself. */
import type { ImageReport } from './report.ts';

const mostListed = 10;

export function renderReport(report: ImageReport): string {
  const blocks = [renderHead(report), renderObjects(report), renderComponents(report), renderCalls(report), renderLayout(report)];
  return `${blocks.filter((lines) => lines.length > 0).map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

const hex = (value: number) => `0x${value.toString(16)}`;

function renderHead(report: ImageReport): string[] {
  const isFromRoot = (report.analysis?.objects.length ?? 0) > 0;
  const what = isFromRoot ? 'a program of a root file system' : report.kind === 'binary' ? 'an unmodified executable' : 'a linked program';
  const lines = [
    `Image of ${what}, ${report.size} bytes${report.stripped ? ', stripped' : ''}`,
    `  features      ${report.features.join(', ') || 'none'}`,
    `  least memory  ${report.leastMemory} bytes`,
    `  entry         ${hex(report.entry)}, boot ABI ${report.abiVersion}`,
  ];
  const { program } = report;
  if (program?.embedded) lines.push(`  program       ${program.path ?? ''}, ${program.embedded} bytes`.replace('  ,', '  '));
  else if (program && !isFromRoot) {
    const { text, rodata, data, bss } = program;
    lines.push(`  program       text ${text}, read-only ${rodata}, data ${data}, bss ${bss}`);
  }
  if (report.stripped) lines.push('  The image is stripped: components and calls are not recorded in it.');
  return lines;
}

function renderObjects({ analysis }: ImageReport): string[] {
  const objects = analysis?.objects ?? [];
  return objects.length === 0 ? [] : ['Files of the program', ...table(['path', 'what'], objects.map(({ path, why }) => [path, why]), [])];
}

function renderComponents({ components }: ImageReport): string[] {
  if (!components) return [];
  const rows = components.map((item) => [item.name, String(item.text), String(item.rodata), String(item.data), String(item.bss), item.why]);
  const total = (field: 'text' | 'rodata' | 'data' | 'bss') => String(components.reduce((sum, item) => sum + item[field], 0));
  rows.push(['in all', total('text'), total('rodata'), total('data'), total('bss'), '']);
  return ['Components', ...table(['name', 'text', 'rodata', 'data', 'bss', 'why'], rows, [1, 2, 3, 4])];
}

function renderCalls({ analysis, syscalls, absent }: ImageReport): string[] {
  const lines: string[] = [];
  if (syscalls) {
    const names = Object.keys(syscalls).sort();
    lines.push(`System calls in the image: ${names.length}`, ...wrap(names));
  }
  if (absent && absent.length > 0) lines.push(`Mentioned, but answered with ENOSYS: ${absent.length}`, ...wrap(absent));
  if (!analysis) return lines;
  const isAny = analysis.unknown.length > 0 || analysis.doubts.length > 0;
  lines.push(`System calls that the program can make: ${isAny ? `any; found: ${analysis.calls.length}` : analysis.calls.length}`);
  lines.push(...wrap(analysis.calls.map(({ name }) => name)));
  for (const doubt of analysis.doubts.slice(0, mostListed)) lines.push(`  any, since ${doubt}`);
  if (analysis.doubts.length > mostListed) lines.push(`  … and ${analysis.doubts.length - mostListed} more reasons`);
  for (const site of analysis.unknown.slice(0, mostListed)) lines.push(`  not known at ${site.place}: ${site.reasons.join('; ')}`);
  if (analysis.unknown.length > mostListed) lines.push(`  … and ${analysis.unknown.length - mostListed} more places`);
  const place = (call: { places: string[] }) => `at ${call.places[0] ?? '?'}`;
  const lacking = analysis.calls.filter(({ support }) => support === 'not');
  if (lacking.length > 0) {
    lines.push(`The program can make, and hull lacks (they answer ENOSYS): ${lacking.length}`);
    lines.push(...table(['call', 'made'], lacking.map((call) => [call.name, place(call)]), []));
  }
  const partial = analysis.calls.filter(({ support }) => support.startsWith('partial: '));
  if (partial.length > 0) {
    lines.push(`The program can make, and hull has in part: ${partial.length}`);
    lines.push(...table(['call', 'what is missing', 'made'], partial.map((call) => [call.name, call.support.slice('partial: '.length), place(call)]), []));
  }
  if (analysis.mayExecute && analysis.doubts.length === 0) lines.push('The program can execute files: their calls are not in this list.');
  for (const text of analysis.mayGenerateCode.slice(0, mostListed)) lines.push(`The program may make code while it runs: ${text}.`);
  for (const place of analysis.legacyGates.slice(0, mostListed)) {
    lines.push(`The program uses the 32-bit gate, which hull does not answer, at ${place}.`);
  }
  return lines;
}

function renderLayout(report: ImageReport): string[] {
  const segments = report.segments.map((item) => [item.kind, item.permissions, hex(item.address), String(item.fileSize), String(item.memorySize)]);
  const lines = ['Segments', ...table(['kind', 'may', 'address', 'file', 'memory'], segments, [3, 4])];
  if (report.sections.length === 0) return lines;
  const sections = report.sections.map((item) => [item.name, item.permissions, hex(item.address), String(item.size)]);
  return [...lines, '', 'Sections', ...table(['name', 'may', 'address', 'size'], sections, [3])];
}

/** Columns as wide as their widest cell; `right` ones are aligned to the right. */
function table(head: string[], rows: string[][], right: number[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows].map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
    });
    return `  ${cells.join('  ')}`.trimEnd();
  });
}

function wrap(words: string[]): string[] {
  const lines: string[] = [];
  let line = ' ';
  for (const word of words) {
    if (line.length + word.length + 1 > 100) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  if (line.trim() !== '') lines.push(line);
  return lines;
}
