/** Code that the linker makes for x86-64: entry points of absent system calls, jumps through a slot. */
import type { MadeCode, StubCode } from '../../link-isa.ts';
import { R_PC32, R_PLT32 } from './relocations.ts';

const GROUP = 30;

/**
 * Each entry leaves its number in %edi and jumps to one function. Few: mov $n, %edi; jmp target (10 bytes each). Many: entries of
 * 4 bytes (mov $low, %al; jmp tail) in groups whose tail widens %al, adds the rest and jumps. Clobbers %rax, %rdi.
 */
export function absentStubs(numbers: readonly number[]): StubCode {
  const bytes: number[] = [];
  const entries: number[] = [];
  const branches: StubCode['branches'] = [];
  const branch = () => {
    bytes.push(0xe9, 0, 0, 0, 0);
    branches.push({ offset: bytes.length - 4, type: R_PLT32, addend: -4 });
  };
  const word = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
  for (let i = 0; i < numbers.length; ) {
    const page = (numbers[i] as number) & ~255;
    let end = i;
    while (end < numbers.length && end - i < GROUP && ((numbers[end] as number) & ~255) === page) end++;
    if (end - i < 3) {
      for (; i < end; i++) {
        entries.push(bytes.length);
        bytes.push(0xbf, ...word(numbers[i] as number));
        branch();
      }
      continue;
    }
    for (; i < end; i++) {
      entries.push(bytes.length);
      bytes.push(0xb0, (numbers[i] as number) & 255);
      if (i + 1 < end) bytes.push(0xeb, (end - i - 1) * 4 - 2);
    }
    bytes.push(0x0f, 0xb6, 0xf8);
    if (page !== 0) bytes.push(0x81, 0xc7, ...word(page));
    branch();
  }
  return { bytes: Uint8Array.from(bytes), entries, branches };
}

/** jmp *slot(%rip) */
export const slotJump: MadeCode = {
  bytes: Uint8Array.of(0xff, 0x25, 0, 0, 0, 0, 0x66, 0x90),
  relocations: [{ offset: 2, type: R_PC32, addend: -4 }],
};
