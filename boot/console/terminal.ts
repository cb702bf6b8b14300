/**
 * The terminal of this process, lent to a machine (-t). Owns: raw mode, and giving it back. Rules: restore() may be called at any
 * time and more than once. Node's raw mode still turns NL into CR NL; the machine's own terminal does that, or does not when its program
 * says so, so stty(1) turns it off here. Restoring sets what was there before all of it.
 */
import { spawnSync } from 'node:child_process';

export interface LentTerminal {
  readonly rows: number;
  readonly columns: number;
  onResize(callback: (rows: number, columns: number) => void): void;
  restore(): void;
}

export function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

export function readTerminalSize(): { rows: number; columns: number } {
  return { rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 };
}

export function lendTerminal(): LentTerminal {
  const wasRaw = process.stdin.isRaw;
  process.stdin.setRawMode(true);
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  let isLent = true;
  return {
    ...readTerminalSize(),
    onResize: (callback) => {
      process.stdout.on('resize', () => callback(process.stdout.rows, process.stdout.columns));
    },
    restore() {
      if (!isLent) return;
      isLent = false;
      process.stdin.setRawMode(wasRaw);
    },
  };
}
