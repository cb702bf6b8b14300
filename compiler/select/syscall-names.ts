/**
 * System calls: number <-> name, of the ISA that programs are built for.
 *
 * Owns: nothing but the lookup; the table itself is compiler/arch/<isa>/syscalls.ts. A test compares it with <asm/unistd_64.h>.
 */
import { syscallNames as armNames } from '../arch/aarch64/syscalls.ts';
import { SYSCALL_COUNT, syscallNames, syscallNumber } from '../arch/x86_64/syscalls.ts';

export { syscallNumber };

/** One more than the highest number: HULL_SYSCALL_COUNT of the libOS. */
export const syscallCount = SYSCALL_COUNT;

const EM_AARCH64 = 183;

/** `machine`: e_machine of the image that makes the call; absent: x86-64's. */
export function syscallName(number: number, machine?: number): string | undefined {
  return (machine === EM_AARCH64 ? armNames : syscallNames)[number];
}

/** All calls, by number. */
export function listSyscalls(): { number: number; name: string }[] {
  return syscallNames.flatMap((name, number) => (name === undefined ? [] : [{ number, name }]));
}
