/**
 * What QEMU boots on AArch64: the image without its ELF headers. The first segment begins with the header of the Linux Image protocol, the others follow as
 * they lie in the file, and the image's entry moves them to their pages (libos/arch/aarch64/entry.S). Where the last of them lies, which is the embedded program in images
 * that have one, the entry finds in a word of that header which the protocol reserves. Format: gABI, "Program Header"; Linux, Documentation/arch/arm64/booting.rst.
 */
import { readFileSync } from 'node:fs';
import { BootError } from '../errors.ts';

const PT_LOAD = 1;
const RESERVED_WORD = 32;

export function readLinuxImage(path: string): Buffer {
  const bytes = readFileSync(path);
  let start = bytes.length;
  let end = 0;
  let last = 0;
  const table = Number(bytes.readBigUInt64LE(32));
  for (let i = 0; i < bytes.readUInt16LE(56); i++) {
    const at = table + i * bytes.readUInt16LE(54);
    if (at + 56 > bytes.length || bytes.readUInt32LE(at) !== PT_LOAD) continue;
    const offset = Number(bytes.readBigUInt64LE(at + 8));
    start = Math.min(start, offset);
    end = Math.max(end, offset + Number(bytes.readBigUInt64LE(at + 32)));
    last = Math.max(last, offset);
  }
  const image = Buffer.from(bytes.subarray(start, end));
  if (image.length < 64 || image.toString('latin1', 56, 60) !== 'ARM\x64') {
    throw new BootError('image-invalid', `Cannot boot "${path}": no Linux Image header in its first segment, expected an image for AArch64 made by hull`);
  }
  image.writeBigUInt64LE(BigInt(last - start), RESERVED_WORD);
  return image;
}
