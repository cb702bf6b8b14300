/** Lists as docker prints them: a table of columns, a template a line, JSON a line, or only names. Owns: --format's forms. */
import { parseTemplate } from './templates.ts';

export interface Column {
  readonly field: string;
  readonly title: string;
}

/** Columns that line up, three spaces apart. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => [...(row[i] ?? '')].length)));
  return rows.map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd((widths[i] as number) + 3))).join('')}\n`).join('');
}

export interface ListStyle {
  readonly format: string | undefined;
  readonly columns: readonly Column[];
  /** Titles of fields that a template may name besides the columns. */
  readonly titles: Readonly<Record<string, string>>;
  readonly command: string;
}

/** rows: what a template sees of each. */
export function formatList(rows: readonly Readonly<Record<string, unknown>>[], style: ListStyle): string {
  const { format = 'table', columns, titles, command } = style;
  if (format === 'table' || format === '') {
    return formatTable([columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ field }) => String(row[field] ?? '')))]);
  }
  if (format === 'json') return rows.map((row) => `${JSON.stringify(Object.fromEntries(Object.entries(row).filter(([, value]) => typeof value !== 'function')))}\n`).join('');
  const isTable = /^table\s/.test(format);
  const template = parseTemplate((isTable ? format.replace(/^table\s+/, '') : format).replaceAll('\\t', '\t').replaceAll('\\n', '\n'), command);
  if (!isTable) return rows.map((row) => `${template.apply(row)}\n`).join('');
  const all = { ...titles, ...Object.fromEntries(columns.map(({ field, title }) => [field, title])) };
  return formatTable([all, ...rows].map((row) => template.apply(row).split('\t')));
}
