/**
 * The probe guest: a PVH image of a few hundred bytes, assembled here so that choosing an accelerator needs no file. Owns: its
 * bytes. What it does, in 32-bit protected mode without paging, as PVH enters it (Xen's docs/misc/pvh.pandoc):
 *   1. writes 'S' to the 16550 at 0x3f8, touches CPUID and RDMSR (IA32_TIME_STAMP_COUNTER) and runs a loop of LOOP_COUNT * 2 instructions: an accelerator that
 *      interprets the kernel's privilege level takes a second for what others do in a millisecond;
 *   2. writes 'R';
 *   3. lets the LAPIC timer (QEMU: 1 ns a tick at divider 1) count two times INTERVAL ticks and writes how many TSC ticks each took,
 *      as two little-endian u64. Each end is bracketed: the count is read between two RDTSCs that lie close together;
 *   4. ends the machine through isa-debug-exit (port 0xf4).
 * Encoding: Intel SDM volume 2; a comment on each line says what the bytes are.
 */
export const LOOP_COUNT = 1_000_000;
export const PROBE_INTERVAL = 12_000_000;

const LOAD = 0x100000;
const HEADERS = 64 + 56 * 2;
const NOTE_SIZE = 20;
const CODE_AT = 0x100;
/** RDTSC, LAPIC read, RDTSC count as one moment when they lie closer than this many ticks; a preempted try is repeated. */
const BRACKET_TICKS = 40_000;

/** A tiny assembler: bytes, 32-bit words, labels for short and near jumps backwards and calls. */
class Code {
  readonly bytes: number[] = [];
  readonly labels = new Map<string, number>();
  private readonly fixups: { at: number; label: string; size: 1 | 4 }[] = [];

  emit(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  word(value: number): this {
    return this.emit(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  label(name: string): this {
    this.labels.set(name, this.bytes.length);
    return this;
  }

  /** A displacement to `name`, relative to the end of itself. */
  relative(name: string, size: 1 | 4): this {
    this.fixups.push({ at: this.bytes.length, label: name, size });
    return this.emit(...new Array<number>(size).fill(0));
  }

  finish(): Uint8Array {
    const out = Uint8Array.from(this.bytes);
    const view = new DataView(out.buffer);
    for (const { at, label, size } of this.fixups) {
      const displacement = (this.labels.get(label) as number) - (at + size);
      if (size === 1) view.setInt8(at, displacement);
      else view.setInt32(at, displacement, true);
    }
    return out;
  }
}

function assembleCode(): Uint8Array {
  const LAPIC = 0xfee00000;
  const STACK = LOAD + 0x4000;
  const code = new Code();
  code.emit(0xbc).word(STACK); //                       mov esp, STACK
  code.emit(0xfa); //                                   cli
  code.emit(0xb0, 0x53).emit(0xe8).relative('putc', 4); // mov al, 'S'; call putc
  code.emit(0x31, 0xc0, 0x0f, 0xa2); //                 xor eax, eax; cpuid
  code.emit(0xb9).word(0x10).emit(0x0f, 0x32); //       mov ecx, IA32_TIME_STAMP_COUNTER; rdmsr
  code.emit(0xb9).word(LOOP_COUNT); //                  mov ecx, LOOP_COUNT
  code.label('loop').emit(0x49); //                     dec ecx
  code.emit(0x75).relative('loop', 1); //               jnz loop
  code.emit(0xb0, 0x52).emit(0xe8).relative('putc', 4); // mov al, 'R'; call putc

  code.emit(0xbf).word(LAPIC); //                       mov edi, LAPIC
  code.emit(0xc7, 0x87).word(0xf0).word(0x1ff); //      mov dword [edi+0xf0], enable | vector 0xff
  code.emit(0xc7, 0x87).word(0x3e0).word(0x0b); //      mov dword [edi+0x3e0], divide by 1
  code.emit(0xc7, 0x87).word(0x320).word(0x10000); //   mov dword [edi+0x320], masked, one shot
  code.emit(0xc7, 0x87).word(0x380).word(0xffffffff); // mov dword [edi+0x380], all ones: count down
  code.emit(0xe8).relative('measure', 4); //            call measure
  code.emit(0xe8).relative('measure', 4); //            call measure
  code.emit(0xb0, 0x00, 0xe6, 0xf4); //                 mov al, 0; out 0xf4, al
  code.label('halt').emit(0xf4, 0xeb).relative('halt', 1); // hlt; jmp halt

  // measure: writes (TSC ticks of an interval) * INTERVAL / (LAPIC ticks that it really was), as u64 of two 32-bit halves:
  // first the TSC ticks, then the LAPIC ticks, both as u32.
  code.label('measure');
  code.emit(0xe8).relative('moment', 4); //             call moment -> esi = LAPIC count, ebx = TSC low
  code.emit(0x53, 0x56); //                             push ebx; push esi
  code.label('wait');
  code.emit(0x8b, 0x87).word(0x390); //                 mov eax, [edi+0x390]
  code.emit(0x8b, 0x14, 0x24); //                       mov edx, [esp]
  code.emit(0x29, 0xc2); //                             sub edx, eax
  code.emit(0x81, 0xfa).word(PROBE_INTERVAL); //        cmp edx, INTERVAL
  code.emit(0x72).relative('wait', 1); //               jb wait
  code.emit(0xe8).relative('moment', 4); //             call moment
  code.emit(0x58, 0x29, 0xf0); //                       pop eax; sub eax, esi   (LAPIC ticks: it counts down)
  code.emit(0x5a, 0x29, 0xd3); //                       pop edx; sub ebx, edx   (TSC ticks)
  code.emit(0x89, 0xc6); //                             mov esi, eax
  code.emit(0x89, 0xd8).emit(0xe8).relative('putw', 4); // mov eax, ebx; call putw
  code.emit(0x89, 0xf0).emit(0xe8).relative('putw', 4); // mov eax, esi; call putw
  code.emit(0xc3); //                                   ret

  // moment: esi = LAPIC count, ebx = TSC (low half) at the same time; tries again when something came between.
  code.label('moment');
  code.emit(0x0f, 0x31, 0x89, 0xc1); //                 rdtsc; mov ecx, eax
  code.emit(0x8b, 0xb7).word(0x390); //                 mov esi, [edi+0x390]
  code.emit(0x0f, 0x31); //                             rdtsc
  code.emit(0x29, 0xc8); //                             sub eax, ecx            (width of the bracket)
  code.emit(0x3d).word(BRACKET_TICKS); //               cmp eax, BRACKET_TICKS
  code.emit(0x73).relative('moment', 1); //             jae moment
  code.emit(0xd1, 0xe8); //                             shr eax, 1
  code.emit(0x8d, 0x1c, 0x08); //                       lea ebx, [eax+ecx]      (its middle)
  code.emit(0xc3); //                                   ret

  code.label('putw').emit(0xb9).word(4); //             mov ecx, 4
  code.label('next').emit(0xe8).relative('putc', 4); // call putc
  code.emit(0xc1, 0xe8, 0x08); //                       shr eax, 8
  code.emit(0x49, 0x75).relative('next', 1); //         dec ecx; jnz next
  code.emit(0xc3); //                                   ret

  code.label('putc'); //                                al -> UART; clobbers edx
  code.emit(0x66, 0xba, 0xfd, 0x03); //                 mov dx, 0x3fd (line status)
  code.emit(0x50); //                                   push eax
  code.label('full').emit(0xec, 0xa8, 0x20); //         in al, dx; test al, 0x20
  code.emit(0x74).relative('full', 1); //               jz full
  code.emit(0x58); //                                   pop eax
  code.emit(0x66, 0xba, 0xf8, 0x03, 0xee); //           mov dx, 0x3f8; out dx, al
  code.emit(0xc3); //                                   ret
  return code.finish();
}

/** The probe guest as an ELF64 file: one PT_LOAD at 1 MiB and the Xen PHYS32_ENTRY note. */
export function makeProbeImage(): Buffer {
  const code = assembleCode();
  const size = CODE_AT + code.length;
  const image = Buffer.alloc(size);
  image.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  image.writeUInt16LE(2, 16); // ET_EXEC
  image.writeUInt16LE(62, 18); // EM_X86_64
  image.writeUInt32LE(1, 20);
  image.writeBigUInt64LE(BigInt(LOAD + CODE_AT), 24); // e_entry
  image.writeBigUInt64LE(64n, 32); // e_phoff
  image.writeUInt16LE(64, 52);
  image.writeUInt16LE(56, 54);
  image.writeUInt16LE(2, 56); // e_phnum
  writeProgramHeader(image, 64, { type: 1, flags: 7, offset: 0, size, memory: 0x8000 });
  writeProgramHeader(image, 120, { type: 4, flags: 4, offset: HEADERS, size: NOTE_SIZE, memory: NOTE_SIZE });
  image.writeUInt32LE(4, HEADERS); // note: name "Xen", XEN_ELFNOTE_PHYS32_ENTRY
  image.writeUInt32LE(4, HEADERS + 4);
  image.writeUInt32LE(18, HEADERS + 8);
  image.write('Xen\0', HEADERS + 12, 'latin1');
  image.writeUInt32LE(LOAD + CODE_AT, HEADERS + 16);
  image.set(code, CODE_AT);
  return image;
}

function writeProgramHeader(image: Buffer, at: number, header: { type: number; flags: number; offset: number; size: number; memory: number }): void {
  image.writeUInt32LE(header.type, at);
  image.writeUInt32LE(header.flags, at + 4);
  image.writeBigUInt64LE(BigInt(header.offset), at + 8);
  image.writeBigUInt64LE(BigInt(LOAD + header.offset), at + 16);
  image.writeBigUInt64LE(BigInt(LOAD + header.offset), at + 24);
  image.writeBigUInt64LE(BigInt(header.size), at + 32);
  image.writeBigUInt64LE(BigInt(header.memory), at + 40);
  image.writeBigUInt64LE(4n, at + 48);
}

/** The TSC's frequency out of the probe's answer (after 'S' and 'R'); undefined when its two measurements differ by more than 0.05 %. */
export function readProbeAnswer(bytes: Buffer): number | undefined {
  if (bytes.length < 18) return undefined;
  const rates: number[] = [];
  for (let at = 2; at < 18; at += 8) {
    const lapic = bytes.readUInt32LE(at + 4);
    if (lapic === 0) return undefined;
    rates.push((bytes.readUInt32LE(at) * 1e6) / lapic);
  }
  const [first = 0, second = 0] = rates;
  if (first < 1e4 || Math.abs(first - second) > first * 0.0005) return undefined;
  return Math.round((first + second) / 2);
}
