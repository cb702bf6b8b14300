/** The shapes of compiler/inspect: what the builder records in an image, and what inspection tells. JSON as it stands. */

/** What was found out about a binary program when its image was built. */
export type AnalysisRecord = {
  /** `support`: "full", "partial: what is missing" or "not". */
  calls: { number: number; name: string; sites: number; places: string[]; support: string }[];
  /** Places whose call is not known: the program may make any. */
  unknown: { place: string; reasons: string[] }[];
  /** For a program with libraries: why it may make any call. */
  doubts: string[];
  /** The files that it consists of, with what they are for it. */
  objects: { path: string; why: string }[];
  /** Calls that the program can make and that no component of hull has. */
  lacking: string[];
  /** Calls that the program can make and that this image has not (left out, or lacking). */
  absent: string[];
  mayGenerateCode: string[];
  mayExecute: boolean;
  legacyGates: string[];
  /** Component -> why it was selected. */
  why: Record<string, string>;
};

export type ImageReport = {
  size: number;
  stripped: boolean;
  kind: 'binary' | 'linked';
  abiVersion: number;
  features: string[];
  leastMemory: number;
  entry: number;
  segments: {
    kind: string;
    address: number;
    fileSize: number;
    memorySize: number;
    permissions: string;
  }[];
  sections: { name: string; address: number; size: number; permissions: string }[];
  /** The rest comes from the manifest: absent in stripped images. */
  components?: { name: string; why: string; text: number; rodata: number; data: number; bss: number }[];
  program?: { text: number; rodata: number; data: number; bss: number; embedded: number; path?: string };
  /** Calls in the image, with their component. */
  syscalls?: Record<string, string>;
  /** Calls that are mentioned and answer ENOSYS. */
  absent?: string[];
  analysis?: AnalysisRecord;
};
