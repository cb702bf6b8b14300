/** Texts about a finished link: manifest, map file, symbol file. Nothing here changes the output. */
import { STT_FUNC, STT_OBJECT } from '../elf/index.ts';
import type { InputSection, LinkContext } from './context.ts';
import { explain } from './mark-live.ts';
import type { ComponentUse, ImageManifest } from './request.ts';
import { listSymbols } from './write-elf.ts';

interface Sizes {
  text: number;
  rodata: number;
  data: number;
  bss: number;
}

function count(sizes: Sizes, section: InputSection): void {
  const output = section.output;
  if (!output) return;
  if (output.segment.name === 'text') sizes.text += section.size;
  else if (section.type === 8) sizes.bss += section.size;
  else if (output.segment.name === 'rodata') sizes.rodata += section.size;
  else sizes.data += section.size;
}

const FEATURES: readonly { component: string; bit: number; name: string }[] = [
  { component: 'uart-16550', bit: 1, name: 'UART' },
  { component: 'uart-pl011', bit: 1, name: 'UART' },
  { component: 'virtio-console', bit: 2, name: 'VIRTIO_CONSOLE' },
  { component: 'input', bit: 4, name: 'INPUT' },
  { component: 'signal', bit: 8, name: 'SIGNALS' },
  { component: 'trace', bit: 32, name: 'TRACE' },
  { component: 'virtio-net', bit: 64, name: 'NETWORK' },
  { component: 'mounts', bit: 128, name: 'MOUNTS' },
  { component: '9p', bit: 256, name: '9P' },
  { component: 'balloon', bit: 512, name: 'BALLOON' },
  { component: 'control', bit: 1024, name: 'CONTROL' },
  { component: 'ext4', bit: 2048, name: 'EXT4' },
  { component: 'host-calls', bit: 4096, name: 'CALLS' },
  { component: 'xen-console', bit: 8192, name: 'XEN_CONSOLE' },
];
const FEATURE_BINARY = 16;

/** HULL_FEATURE_* of libos/abi/boot_abi.h, from the components that are in. */
export function imageFeatures(context: LinkContext): number {
  const bits = FEATURES.filter(({ component }) => context.components.get(component)?.active).reduce((all, { bit }) => all | bit, 0);
  return context.options.kind === 'binary' ? bits | FEATURE_BINARY : bits;
}

export function makeManifest(context: LinkContext): ImageManifest {
  const none = (): Sizes => ({ text: 0, rodata: 0, data: 0, bss: 0 });
  const byComponent = new Map<string, Sizes>();
  const program = none();
  for (const file of context.objects) {
    const sizes = file.component ? (byComponent.get(file.component.name) ?? none()) : program;
    if (file.component) byComponent.set(file.component.name, sizes);
    for (const section of file.sections) if (section?.live) count(sizes, section);
  }
  const linker = none();
  for (const section of context.made.libos.sections) if (section?.live) count(linker, section);
  for (const chunk of context.chunks) {
    const { component } = chunk.file;
    count(component ? (byComponent.get(component.name) ?? none()) : program, chunk);
  }
  const components: ComponentUse[] = [...context.components.values()]
    .filter((component) => component.active)
    .map((component) => ({
      name: component.name,
      why: [...explain(component.why), component.reason],
      ...(byComponent.get(component.name) ?? none()),
    }));
  if (context.options.kind !== 'executable') components.push({ name: '<linker>', why: ['tables and stubs'], ...linker });
  const syscalls: Record<string, string> = {};
  for (const [name, symbol] of context.scopes.libos) {
    if (name.startsWith('sys_') && name !== 'sys_absent' && symbol.section?.live && symbol.file?.component)
      syscalls[name.slice(4)] = symbol.file.component.name;
  }
  const absent = new Set(context.absent.keys());
  for (const name of context.syscalls) if (!syscalls[name]) absent.add(name);
  return {
    version: 1,
    kind: context.options.kind,
    machine: context.isa.name,
    entry: context.options.entry,
    components,
    program: {
      ...program,
      embedded: context.embedded?.length ?? 0,
      ...(context.programPath === undefined ? {} : { path: context.programPath }),
    },
    syscalls,
    absent: [...absent].sort(),
    features: [
      ...FEATURES.filter(({ bit }) => context.features & bit).map(({ name }) => name),
      ...(context.features & FEATURE_BINARY ? ['BINARY'] : []),
    ],
    leastMemory: context.leastMemory,
    sections: context.outputs.map((output) => ({
      name: output.name,
      address: output.address,
      size: output.size,
      fileSize: output.type === 8 ? 0 : output.size,
    })),
  };
}

const hex = (value: number, width = 8) => value.toString(16).padStart(width, '0');

/** One line a segment, output section and input section; the last with the file, and with the reference that brought it in. */
export function makeMap(context: LinkContext): string {
  const lines = ['address  size     what'];
  for (const segment of context.segments) {
    lines.push(
      `${hex(segment.address)} ${hex(segment.memorySize)} segment ${segment.name} (file ${hex(segment.fileOffset)} ${hex(segment.fileSize)})`,
    );
    for (const output of segment.outputs) {
      lines.push(`${hex(output.address)} ${hex(output.size)}   ${output.name}`);
      for (const section of output.sections) {
        const why = section.why ? ` <- ${section.reason} in ${section.why.file.name}:${section.why.name}` : ` <- ${section.reason}`;
        lines.push(`${hex(section.address)} ${hex(section.size)}     ${section.name} ${section.file.name}${context.options.gc ? why : ''}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

/** "address size type name" a line, by address; types t (function), d (object), n (other). */
export function makeSymbolFile(context: LinkContext): string {
  const lines = listSymbols(context)
    .filter((symbol) => symbol.absolute === undefined && symbol.type !== 6 && symbol.type !== 4)
    .sort((a, b) => a.address - b.address)
    .map(
      (symbol) =>
        `${hex(symbol.address)} ${hex(symbol.size, 1)} ${symbol.type === STT_FUNC ? 't' : symbol.type === STT_OBJECT ? 'd' : 'n'} ${symbol.name}`,
    );
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}
