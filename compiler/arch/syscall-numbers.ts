/** Reads a table of system calls as the ISA folders write it: names by number, words; "-" where Linux has none. */
export interface SyscallNumbers {
  names: readonly (string | undefined)[];
  numberOf(name: string): number | undefined;
}

export function readSyscallNumbers(text: string): SyscallNumbers {
  const names = text.trim().split(/\s+/).map((name) => (name === '-' ? undefined : name));
  const numbers = new Map(names.flatMap((name, number) => (name ? [[name, number] as const] : [])));
  return { names, numberOf: (name) => numbers.get(name) };
}
