/**
 * System calls: number <-> name, of the ISA that programs are built for.
 *
 * Owns: nothing but the lookup; the table itself is compiler/arch/<isa>/syscalls.ts. A test compares it with <asm/unistd_64.h>.
 */
import { syscallNames as armNames, syscallNumber as armNumber } from '../arch/aarch64/syscalls.ts';
import { SYSCALL_COUNT, syscallNames, syscallNumber } from '../arch/x86_64/syscalls.ts';

export { syscallNumber };

/** One more than the highest number: HULL_SYSCALL_COUNT of the libOS. */
export const syscallCount = SYSCALL_COUNT;

/** Instruction sets, as the folders of compiler/arch are named. */
export type CallMachine = 'x86_64' | 'aarch64';

/** `machine`: of the image that makes the call; absent: x86-64. */
export function syscallName(number: number, machine?: CallMachine): string | undefined {
  return (machine === 'aarch64' ? armNames : syscallNames)[number];
}

/** The number of a call on a machine; undefined: it has none of that name. */
export function syscallNumberOn(machine: CallMachine, name: string): number | undefined {
  return machine === 'aarch64' ? armNumber(name) : syscallNumber(name);
}

/** All calls, by number. `machine`: whose; absent: x86-64's. */
export function listSyscalls(machine?: CallMachine): { number: number; name: string }[] {
  return (machine === 'aarch64' ? armNames : syscallNames).flatMap((name, number) => (name === undefined ? [] : [{ number, name }]));
}
