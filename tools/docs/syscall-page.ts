// docs/syscalls.md: each Linux system call, and what answers it.
import { listSyscalls } from '../../compiler/select/index.ts';
import type { DocumentedComponent } from './manifests.ts';
import { makePage, makeTable, type Page } from './page.ts';

interface Answer {
  component: string;
  level: string;
  /** Only in images of this kind. */
  programs: string | undefined;
}

const missing = (answer: Answer) => (answer.level === 'full' ? '' : answer.level.replace(/^partial: /, ''));
const note = (answer: Answer) => (answer.programs === undefined ? '' : ` (${answer.programs})`);

export function makeSyscallPage(components: readonly DocumentedComponent[]): Page {
  const answers = new Map<string, Answer[]>();
  for (const { name, syscalls, programs } of components) {
    for (const [call, level] of Object.entries(syscalls)) answers.set(call, [...(answers.get(call) ?? []), { component: name, level, programs }]);
  }
  const totals = { full: 0, partial: 0, not: 0 };
  const rows = listSyscalls().map(({ number, name }) => {
    const found = answers.get(name) ?? [];
    const support = found.length === 0 ? 'not' : found.every((answer) => answer.level === 'full') ? 'full' : 'partial';
    totals[support] += 1;
    const what = found.flatMap((answer) => (missing(answer) === '' ? [] : `${missing(answer)}${note(answer)}`));
    return [String(number), `\`${name}\``, support, found.map((answer) => `${answer.component}${note(answer)}`).join(', '), what.join('; ')];
  });
  return makePage('docs/syscalls.md', 'System calls', "the components' `component.json` and the table of call numbers", [
    `Linux on x86-64 has ${rows.length} system calls up to number ${rows.at(-1)?.[0]}. hull answers **${totals.full} in full** and **${totals.partial} in part**; ` +
      `${totals.not} are not there and give ENOSYS, with one log line for each.`,
    'A call is in an image only when the program can make it: the component of the last but one column is linked in then.',
    makeTable(['number', 'call', 'support', 'component', 'what is missing'], rows),
  ]);
}
