/**
 * Who refers to code, in raw x86-64 bytes: a byte that could be the opcode of a call, jump or lea with a 32-bit distance is taken for one when the distance leads
 * into code. That finds every real reference of these forms.
 */
import { type AnalysisIsa, reference } from '../../analysis-isa.ts';

export const findReferences: AnalysisIsa['findReferences'] = (_executable, ranges, _regions, low, high, add) => {
  for (const range of ranges) {
    const bytes = range.bytes;
    const end = bytes.length - 4;
    for (let at = 1; at <= end; at++) {
      // `at` is where the distance would be; the byte before tells.
      const before = bytes[at - 1] as number;
      let kind = -1;
      let head = 1;
      if (before === 0xe8) kind = reference.call;
      else if (before === 0xe9) kind = reference.jump;
      else if ((before & 0xf0) === 0x80 && at >= 2 && bytes[at - 2] === 0x0f) {
        kind = reference.jump;
        head = 2;
      } else if ((before & 0xc7) === 0x05 && at >= 2 && bytes[at - 2] === 0x8d) {
        kind = reference.address;
        head = 2;
      } else continue;
      const distance =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24);
      const target = range.start + at + 4 + distance;
      if (target >= low && target < high) add(range.start + at - head, target, kind);
    }
  }
};
