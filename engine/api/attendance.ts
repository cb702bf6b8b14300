/**
 * Who waits beside an instance in this server: clients that attached before it runs, and the size of their windows. Owns: both, in memory. Rules: a client's resize may come before there is a
 * machine, and is the size that it starts with; a start that fails ends those who waited for it.
 */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

export interface Attendance {
  /** Aborts when a start has failed; `leave` when it is not needed any more. */
  join(id: string): { readonly failed: AbortSignal; leave(): void };
  fail(id: string): void;
  setSize(id: string, size: WindowSize): void;
  takeSize(id: string): WindowSize | undefined;
  forget(id: string): void;
}

/** Sizes of instances that were never started are forgotten beyond so many. */
const MOST_SIZES = 1000;

export function createAttendance(): Attendance {
  const waiting = new Map<string, Set<AbortController>>();
  const sizes = new Map<string, WindowSize>();
  return {
    join(id) {
      const controller = new AbortController();
      const those = waiting.get(id) ?? new Set();
      waiting.set(id, those.add(controller));
      return {
        failed: controller.signal,
        leave() {
          those.delete(controller);
          if (those.size === 0) waiting.delete(id);
        },
      };
    },
    fail(id) {
      for (const each of waiting.get(id) ?? []) each.abort();
    },
    setSize(id, size) {
      sizes.delete(id);
      sizes.set(id, size);
      if (sizes.size > MOST_SIZES) sizes.delete(sizes.keys().next().value as string);
    },
    takeSize: (id) => sizes.get(id),
    forget: (id) => void sizes.delete(id),
  };
}
