/** --chmod: file modes as chmod(1) has them, in octal or by letters (POSIX.1-2017, chmod, "mode operand"). Owns: their parsing and use. */
import type { Node } from './tree.ts';

type Clause = { readonly who: string; readonly change: '+' | '-' | '='; readonly what: string };
export type ModeChange = number | readonly Clause[];

const SHIFTS: Record<string, number> = { u: 6, g: 3, o: 0 };

/** undefined: not a mode. */
export function parseMode(text: string): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return mode <= 0o7777 ? mode : undefined;
  }
  const clauses: Clause[] = [];
  for (const part of text.split(',')) {
    const [, who, actions] = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(part) ?? [];
    if (actions === undefined) return undefined;
    for (const [, change, what] of actions.matchAll(/([-+=])([rwxXstugo]*)/g)) clauses.push({ who: who || 'a', change: change as Clause['change'], what: what ?? '' });
  }
  return clauses;
}

export function changeMode(node: Pick<Node, 'mode' | 'kind'>, change: ModeChange): number {
  if (typeof change === 'number') return change;
  let mode = node.mode;
  for (const { who, change: sign, what } of change) {
    const classes = who.includes('a') ? 'ugo' : who;
    let bits = 0;
    let cleared = 0;
    for (const each of classes) {
      const shift = SHIFTS[each] as number;
      cleared |= (7 << shift) | (each === 'u' ? 0o4000 : each === 'g' ? 0o2000 : 0);
      for (const letter of what) {
        if (letter === 'r') bits |= 4 << shift;
        else if (letter === 'w') bits |= 2 << shift;
        else if (letter === 'x') bits |= 1 << shift;
        else if (letter === 'X' && (node.kind === 'directory' || (mode & 0o111) !== 0)) bits |= 1 << shift;
        else if (letter === 's') bits |= each === 'u' ? 0o4000 : each === 'g' ? 0o2000 : 0;
        else if (letter === 't') bits |= 0o1000;
        else if (letter in SHIFTS) bits |= ((mode >> (SHIFTS[letter] as number)) & 7) << shift;
      }
    }
    if (sign === '+') mode |= bits;
    else if (sign === '-') mode &= ~bits;
    else mode = (mode & ~cleared) | bits;
  }
  return mode & 0o7777;
}
