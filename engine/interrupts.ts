/**
 * Signals that this process gets, on their way to the program. Owns: the handlers, the count of Ctrl-C. Rules: installed before anything
 * is started, so that a signal at any moment ends in an orderly way; until the guest reads its channel, or when it never does, a
 * signal ends the run with 128 + its number; a third Ctrl-C within PATIENCE_MS kills the machine.
 */
import { constants } from 'node:os';

export interface SignalTarget {
  readonly canTake: boolean;
  send(signal: number): void;
}

export interface Interrupts {
  /** The signal that ended the run from outside, when one did. */
  readonly abortedBy: number | undefined;
  /** Resolves when one does. */
  readonly aborted: Promise<void>;
  /** From now on signals go to `target`. Calls `abort` at once when a signal came before. */
  attach(target: SignalTarget, abort: (signal: number) => void): void;
  detach(): void;
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

const ENDING = new Set<string>(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);
const PATIENCE_MS = 3000;

export function catchInterrupts(): Interrupts {
  let abortedBy: number | undefined;
  let target: SignalTarget | undefined;
  let abort: ((signal: number) => void) | undefined;
  let presses: number[] = [];
  let tell = () => {};
  const aborted = new Promise<void>((resolve) => {
    tell = resolve;
  });

  const end = (signal: number) => {
    if (abortedBy !== undefined) return;
    abortedBy = signal;
    abort?.(signal);
    tell();
  };
  const handle = (name: NodeJS.Signals) => {
    const signal = constants.signals[name];
    if (name === 'SIGINT') {
      const now = Date.now();
      presses = [...presses.filter((time) => now - time < PATIENCE_MS), now];
      if (presses.length >= 3) return end(constants.signals.SIGKILL);
    }
    if (target?.canTake === true) target.send(signal);
    else if (ENDING.has(name)) end(signal);
  };
  for (const name of FORWARDED) process.on(name, handle);

  return {
    get abortedBy() {
      return abortedBy;
    },
    aborted,
    attach(newTarget, onAbort) {
      target = newTarget;
      abort = onAbort;
      if (abortedBy !== undefined) onAbort(abortedBy);
    },
    detach() {
      for (const name of FORWARDED) process.off(name, handle);
    },
  };
}
