/** Waiting in tests: for what holds, not for a time. Rule: the limit is for a machine that is many times slower than usual, and is only reached by a fault. */

const LIMIT_MS = 240_000;

export const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** Until it holds, looked at again and again; an error that says what never came. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>, everyMs = 50): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; !(await holds()); await pause(everyMs)) {
    if (Date.now() > deadline) throw new Error(`Waited ${LIMIT_MS / 1000} s in vain: ${what}`);
  }
}

/** The same for a look whose last result is the test's: it is given back when the time is over, so that the comparison shows it. */
export async function lookUntil<T>(look: () => T | Promise<T>, isGood: (found: T) => boolean, everyMs = 50): Promise<T> {
  for (const deadline = Date.now() + LIMIT_MS; ; await pause(everyMs)) {
    const found = await look();
    if (isGood(found) || Date.now() > deadline) return found;
  }
}
