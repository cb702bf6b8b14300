/** The file whose pages sleeping_copies.c touches when they are cold. */
import { writeFileSync } from 'node:fs';

/** As the program has them. */
const PLACES = 128;
const STEP = 64 * 1024;
const PIECE = 4000;

/** Writes it; returns the lines in it. */
export function writeColdFile(path: string): string[] {
  const lines = Array.from({ length: PLACES }, (_, i) => `cold ${String(i).padStart(3, '0')} `.padEnd(PIECE - 1, 'x'));
  writeFileSync(path, Buffer.concat(lines.map((line) => Buffer.from(`${line}\n`.padEnd(STEP, '-')))));
  return lines;
}
