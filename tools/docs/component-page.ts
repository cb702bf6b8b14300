// docs/components.md: what an image can be made of.
import type { DocumentedComponent } from './manifests.ts';
import { makeList, makePage, makeTable, type Page } from './page.ts';

function describeInstead({ instead }: DocumentedComponent): string {
  return instead === undefined ? '' : `\`${instead.component}\`, for ${makeList(instead.calls)} of ${makeList(instead.paths)}`;
}

function describeDetails(component: DocumentedComponent, users: readonly string[]): string {
  const rows: [string, string][] = [
    ['requires', makeList(component.requires)],
    ['required by', makeList(users)],
    ['only in images of', component.programs === undefined ? '' : `${component.programs} programs`],
    ['instead of', describeInstead(component)],
    ['system calls', makeList(Object.keys(component.syscalls))],
    ['soft calls', makeList(component.soft)],
    ['answers before they are made', makeList(component.answers)],
    ['there for paths below', makeList(component.opened)],
    ['drivers', makeList(component.drivers)],
    ['file systems', makeList(component.filesystems)],
    ['/proc', makeList(component.proc)],
  ];
  return rows.flatMap(([head, text]) => (text === '' ? [] : `- ${head}: ${text}`)).join('\n');
}

export function makeComponentPage(components: readonly DocumentedComponent[]): Page {
  const index = components.map((component) => [
    `[${component.name}](#${component.name})`,
    component.summary,
    String(Object.keys(component.syscalls).length || ''),
  ]);
  const parts = components.map((component) => {
    const users = components.filter((other) => other.requires.includes(component.name)).map((other) => other.name);
    const readme = `[${component.folder}](../${component.folder}/README.md)`;
    return [`## ${component.name}`, `${component.summary} — ${readme}`, describeDetails(component, users)].filter((part) => part !== '').join('\n\n');
  });
  return makePage('docs/components.md', 'Components', "the components' `component.json`", [
    'What a libOS image can be made of. `hull inspect IMAGE` says which of them an image holds, how large each is there, and why it is in.',
    'A *soft* call does not bring its component in by itself.',
    makeTable(['component', 'what it is', 'calls'], index),
    ...parts,
  ]);
}
