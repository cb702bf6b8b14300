// What generated pages have in common: the note on top, and tables.

export interface Page {
  path: string;
  text: string;
}

/** A page whose note says where it comes from. */
export function makePage(path: string, title: string, source: string, parts: string[]): Page {
  return { path, text: `${[`# ${title}`, `<!-- Made by \`npm run docs\` from ${source}; edit that. -->`, ...parts].join('\n\n')}\n` };
}

export function makeTable(heads: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

export const makeList = (items: readonly string[]) => (items.length === 0 ? '' : items.map((item) => `\`${item}\``).join(', '));
