// docs/boot-abi.md: what host and guest tell each other, from the comments and definitions of libos/abi/boot_abi.h.
import { readFileSync } from 'node:fs';
import { makePage, makeTable, type Page } from './page.ts';

const SOURCE = 'libos/abi/boot_abi.h';

const joinComment = (text: string) =>
  text
    .split('\n')
    .map((line) => line.replace(/^\s*\*?\s*/, '').trim())
    .join(' ')
    .trim();

/** Sections begin with a comment of dashes; further comments on lines of their own are text, definitions rows, a struct a block of code. */
function describeSection(section: string): string {
  const parts: string[] = [];
  let rows: string[][] = [];
  const flush = () => {
    if (rows.length > 0) parts.push(makeTable(['name', 'value', 'meaning'], rows));
    rows = [];
  };
  const pattern = /^#define (\w+) (.+?)(?:[ \t]*\/\*([\s\S]*?)\*\/)?[ \t]*$|^\/\*([\s\S]*?)\*\/|^(struct [\s\S]*?^};)/gm;
  for (const [, name, value, meaning, comment, struct] of section.matchAll(pattern)) {
    if (name !== undefined) {
      rows.push([`\`${name}\``, `\`${(value as string).trim().replace(/^\((.*)\)$/, '$1')}\``, joinComment(meaning ?? '')]);
      continue;
    }
    flush();
    if (comment !== undefined) parts.push(joinComment(comment));
    if (struct !== undefined) parts.push(`\`\`\`c\n${struct}\n\`\`\``);
  }
  flush();
  return parts.join('\n\n');
}

export function makeBootAbiPage(): Page {
  const text = readFileSync(SOURCE, 'utf8');
  const [head = '', ...pieces] = text.split(/^\/\* -{4} (.*?) -{4} \*\/$/gm);
  const intro = (/^\/\*([\s\S]*?)\*\//.exec(head)?.[1] ?? '').split(/\n \*\n/).map(joinComment);
  const sections: string[] = [describeSection(head.slice(head.indexOf('*/') + 2))];
  for (let i = 0; i < pieces.length; i += 2) {
    const [, title = '', rest = ''] = /^(.+?[a-z)])(?:[:,.] (.*))?$/.exec(pieces[i] as string) ?? [];
    const line = rest === '' ? '' : `${rest.charAt(0).toUpperCase()}${rest.slice(1).replace(/\.?$/, '.')}`;
    sections.push(`## ${title}`, line, describeSection(pieces[i + 1] as string));
  }
  return makePage('docs/boot-abi.md', 'Boot ABI', `\`${SOURCE}\``, [...intro, ...sections].filter((part) => part !== ''));
}
