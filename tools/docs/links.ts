// Pages must not lead astray: every relative link, and every file of this repository that a page names, is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { listFiles } from '../build/stamp.ts';

const MADE = new Set(['build', 'dist', 'node_modules']);
const FOLDERS = readdirSync('.', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !MADE.has(entry.name))
  .map((entry) => entry.name);

/** Whole paths only: no patterns, no placeholders. */
const NAMED = new RegExp(`(?<=[\\s(\`]|^)((?:${FOLDERS.join('|')})/[\\w./-]*\\.(?:ts|mjs|c|h|S|md|sh|json|lds))(?![\\w/])`, 'g');

export function findBrokenLinks(): string[] {
  const pages = [...readdirSync('.').filter((name) => name.endsWith('.md')), ...FOLDERS.flatMap((folder) => listFiles(folder, ['.md']))];
  return pages.flatMap((page) => {
    const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```/gm, '');
    const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => normalize(join(dirname(page), match[1] as string)));
    const named = [...text.matchAll(NAMED)].map((match) => match[1] as string);
    return [...new Set([...links, ...named])]
      .filter((path) => !existsSync(path))
      .map((path) => `Cannot accept "${page}": it names ${path}, which is not there, expected a file`);
  });
}
