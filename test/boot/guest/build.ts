/**
 * Builds the boot layer's test guest with clang and ld.lld. Rule: one build a variant and test run, in a folder of the test's own.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The checkout: the nearest folder above with the sources in it. */
export function findCheckout(): string {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'libos/abi/boot_abi.h'))) return folder;
    if (folder === dirname(folder)) throw new Error('Cannot find the checkout above the working directory');
  }
}

export function buildGuest(folder: string, name: string, defines: Record<string, string> = {}): string {
  const root = findCheckout();
  const source = join(root, 'test/boot/guest');
  const flags = ['--target=x86_64-unknown-none-elf', '-ffreestanding', '-O1', '-mno-red-zone', '-mgeneral-regs-only', '-fno-pic', '-fno-stack-protector', '-I', join(root, 'libos')];
  const objects = ['entry.S', 'guest.c'].map((file) => {
    const object = join(folder, `${name}-${file}.o`);
    const given = Object.entries(defines).map(([key, value]) => `-D${key}=${value}`);
    execFileSync('clang', [...flags, ...given, '-c', join(source, file), '-o', object]);
    return object;
  });
  const image = join(folder, name);
  execFileSync('ld.lld', ['-e', 'guest_entry', '-Ttext=0x100000', '-z', 'max-page-size=16', '-o', image, ...objects]);
  return image;
}
