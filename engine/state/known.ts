/**
 * Answers that were found before: $HULL_ROOT/cache/known/<hash of the question>. Owns: names and life of its files. Rules: a question names all that its answer depends on; the file repeats it, so that the hash is no more than a
 * name; what cannot be read or written is found out again. For what a start asks each time: no digest, whose module alone takes longer than the answer.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KEPT = 1000;

/** FNV-1a (fnvhash.github.io) in two lanes of 32 bits; an identity, not a defence. */
export function hashText(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9dc5811c;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x01000197);
  }
  return [a, b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
}

export function readKnown<T>(folder: string, question: readonly string[]): T | undefined {
  const asked = JSON.stringify(question);
  try {
    const { question: found, answer } = JSON.parse(readFileSync(join(folder, hashText(asked)), 'utf8')) as { question: string; answer: T };
    return found === asked ? answer : undefined;
  } catch {
    return undefined; // absent, or damaged
  }
}

/** In place: who meets half of it takes it for no answer, and a writer that is killed leaves no other file. */
export function saveKnown(folder: string, question: readonly string[], answer: unknown): void {
  const asked = JSON.stringify(question);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, hashText(asked)), JSON.stringify({ question: asked, answer }), { mode: 0o600 });
    evictOld(folder);
  } catch {
    // then it is found out again
  }
}

function evictOld(folder: string): void {
  const names = readdirSync(folder);
  if (names.length <= KEPT) return;
  const byAge = names.map((name) => ({ name, time: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 })).sort((a, b) => b.time - a.time);
  for (const { name } of byAge.slice(KEPT >> 1)) rmSync(join(folder, name), { force: true });
}

/** Whether a cache's file is there; if so, it counts as used now. */
export function markUsed(path: string): boolean {
  try {
    const now = new Date();
    utimesSync(path, now, now);
    return true;
  } catch {
    return false;
  }
}
