/** What callers ask of the linker, and what they get. */

export interface LinkInput {
  /** For messages and the map: usually the path. */
  name: string;
  /** A relocatable object or an ar archive. */
  bytes: Uint8Array;
  /** Take every member of the archive, needed or not. */
  whole?: boolean;
}

/** component.json, as ARCHITECTURE.md has it. */
export interface ComponentManifest {
  name: string;
  summary?: string;
  requires?: string[];
  /** Comes along where that component is in the image. */
  joins?: { component: string };
  syscalls?: Record<string, string>;
  /** System calls whose mention alone does not bring the component into the image. */
  soft?: string[];
  /** Only in images of this kind; both when absent. */
  programs?: 'binary' | 'linked';
}

export interface ComponentInput {
  manifest: ComponentManifest;
  archive: Uint8Array;
}

/** Instruction sets, as the folders of compiler/arch are named. */
export type Machine = 'x86_64' | 'aarch64';

interface CommonRequest {
  /** Default: x86_64. */
  machine?: Machine;
  /** Objects and archives of the program, in command line order. */
  inputs: LinkInput[];
  entry?: string;
  /** Leave out sections that nothing reaches. Default: true for images, false for executables. */
  gc?: boolean;
  /** Leave out section headers, symbols and the manifest. */
  strip?: boolean;
  /** Further roots of garbage collection. */
  keep?: string[];
  /** Absolute symbols. */
  defines?: Record<string, bigint | number>;
  /** Address of the first byte. */
  base?: number;
}

export interface LinkImageRequest extends CommonRequest {
  /** All components that may be used; what is reached gets in. */
  components: ComponentInput[];
  /** Components to take in any case. */
  activate?: string[];
  /** Binary images: the executable to embed, and the path that the guest knows it by; none for programs that come from a root file system. */
  program?: { bytes: Uint8Array; path: string };
  /** Names of the system calls that the program may make: makes it a binary image. */
  syscalls?: readonly string[] | 'all';
  /** Keep .eh_frame (C++ exceptions in linked programs). */
  unwind?: boolean;
  /** What the caller found out about the program: goes into the manifest as it is. */
  analysis?: object;
}

export type LinkExecutableRequest = CommonRequest;

export interface ComponentUse {
  name: string;
  /** Why it is there: from a root of the image down to what needs it. */
  why: string[];
  /** Bytes in memory, by segment. */
  text: number;
  rodata: number;
  data: number;
  bss: number;
}

export interface SectionUse {
  name: string;
  address: number;
  size: number;
  fileSize: number;
}

export interface ImageManifest {
  version: 1;
  kind: 'binary' | 'linked' | 'executable';
  machine: string;
  entry: string;
  components: ComponentUse[];
  /** Bytes of the program's own objects (linked) or of the embedded file (binary). */
  program: { text: number; rodata: number; data: number; bss: number; embedded: number; path?: string };
  /** System calls that are in the image, with their component. */
  syscalls: Record<string, string>;
  /** System calls that the program mentions and that answer ENOSYS. */
  absent: string[];
  features: string[];
  leastMemory: number;
  sections: SectionUse[];
  /** The request's `analysis`. */
  analysis?: object;
}

export interface LinkResult {
  image: Uint8Array;
  manifest: ImageManifest;
  /** Map file: segments, sections, and which input section is where, and why. Made when first read. */
  readonly map: string;
  /** Symbol file: "address size type name" a line, by address. Made when first read. */
  readonly symbols: string;
}
