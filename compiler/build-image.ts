/**
 * From a program to a bootable image: analyze -> select -> link.
 *
 * Owns: the order of the phases and what one hands to the next; the phases own the work. The analysis goes into the image's manifest, so that
 * an image can be explained later without the program.
 */
import { type Analysis, analyzeExecutable, type Closure, describeExecutable, replaceHalts } from './analyze/index.ts';
import { loadComponents, type LoadedComponent } from './components.ts';
import { CompilerError } from './error.ts';
import { type ImageManifest, type LinkInput, type LinkImageRequest, LinkError, type LinkResult, linkImage, type Machine } from './link/index.ts';
import { callPlaces, recordAnalysis, recordClosure } from './record-analysis.ts';
import { type Component, type Selection, selectComponents } from './select/index.ts';

export type ImageOptions = {
  /** Directory of the compiled libOS of the program's instruction set: components.json and archives. */
  libos: string;
  /** Components to add and to leave out. */
  add?: readonly string[];
  leaveOut?: readonly string[];
  /** Components that carry the channel, instead of the kind's own. */
  drivers?: readonly string[];
  strip?: boolean;
};

export type BuildImageRequest = ImageOptions & {
  /** The bytes of a static executable. */
  program: Uint8Array;
  /** The path by which messages and the guest name it. */
  path: string;
};

export type LinkProgramRequest = ImageOptions & {
  /** Default: x86_64. */
  machine?: Machine;
  /** Objects and archives in command-line order; crt files and libc among them. */
  inputs: LinkInput[];
  /** Linker options that pass through. */
  keep?: string[];
  defines?: Record<string, bigint | number>;
  gc?: boolean;
  unwind?: boolean;
};

export type BuiltImage = {
  image: Uint8Array;
  manifest: ImageManifest;
  /** Made when first read. */
  readonly map: string;
  readonly symbols: string;
  analysis: Analysis | undefined;
  selection: Selection;
  /** Milliseconds by phase. */
  timings: Record<string, number>;
};

/** Makes an image for an unmodified static executable. */
export function buildImage(request: BuildImageRequest): BuiltImage {
  const timings: Record<string, number> = {};
  // After this: a static executable whose headers can be believed.
  const executable = measure(timings, 'read', () => describeExecutable(request.program, request.path));
  const { machine } = executable;
  const components = measure(timings, 'components', () => loadComponents(request.libos));
  // After this: every call that the program can make is known, or it is known that some are not.
  const analysis = measure(timings, 'analyze', () => analyzeExecutable(executable));
  const calls = analysis.mayMakeAnyCall ? 'all' : callPlaces(analysis);
  // After this: roots, candidates and reasons; nothing that is required is left out.
  const selection = measure(timings, 'select', () => select({ ...request, machine }, 'binary', components, calls, analysis));
  const result = measure(timings, 'link', () =>
    link({
      inputs: [],
      machine,
      ...linkOptions(request, selection, components),
      program: { bytes: replaceHalts(request.program, analysis.halts), path: request.path },
      syscalls: selection.calls,
      analysis: recordAnalysis(analysis, selection, components, machine),
    }),
  );
  return finish(result, analysis, selection, timings);
}

export type RootImageRequest = ImageOptions & {
  /** Default: x86_64. */
  machine?: Machine;
  /** What the program can call, by number, with the place; without it, anything. */
  calls?: ReadonlyMap<number, string> | undefined;
  /** What was found out about the program, for the image's manifest. */
  closure?: Closure;
};

/**
 * Makes an image for programs that come from a root file system. With `calls` it has the components that these need, and of each all calls: the parts
 * are the unit of choice, so that few images serve many programs, and an image does not depend on the analysis in more than it must.
 */
export function buildRootImage(request: RootImageRequest): BuiltImage {
  const timings: Record<string, number> = {};
  const components = measure(timings, 'components', () => loadComponents(request.libos));
  const selection = measure(timings, 'select', () => selectForRoot(request, components));
  const isCandidate = new Set(selection.candidates);
  const syscalls =
    request.calls === undefined
      ? selection.calls
      : components.filter(({ manifest }) => isCandidate.has(manifest.name)).flatMap(({ manifest }) => Object.keys(manifest.syscalls));
  const { closure } = request;
  const analysis = closure && recordClosure(closure, selection, components, request.machine);
  const result = measure(timings, 'link', () =>
    link({ inputs: [], ...(request.machine && { machine: request.machine }), ...linkOptions(request, selection, components), syscalls, ...(analysis && { analysis }) }),
  );
  return finish(result, undefined, selection, timings);
}

/** The components that `buildRootImage` would choose from, without linking; undefined when it is all of them. */
export function listRootComponents(request: RootImageRequest): string[] | undefined {
  if (request.calls === undefined) return undefined;
  return selectForRoot(request, loadComponents(request.libos, { archives: false })).candidates;
}

function selectForRoot(request: RootImageRequest, components: LoadedComponent[]): Selection {
  const names = components.map(({ manifest }) => manifest.name);
  // What a path can lead to is there for any program: nobody knows which it opens.
  const byPath = components.filter(({ manifest }) => manifest.byPath && manifest.programs !== 'linked' && manifest.instead === undefined);
  const always = [...rootComponents, ...machineComponents, ...byPath.map(({ manifest }) => manifest.name)].filter((name) => names.includes(name));
  const selection = select({ ...request, add: [...new Set([...always.filter((name) => request.leaveOut?.includes(name) !== true), ...(request.add ?? [])])] }, 'binary', components, request.calls ?? 'all');
  for (const name of always) {
    if (request.add?.includes(name)) continue;
    selection.why.set(name, { kind: 'profile', text: explainAlways(name) });
  }
  return selection;
}

function explainAlways(name: string): string {
  if (rootComponents.includes(name)) return 'finds the program and its files';
  return machineComponents.includes(name) ? 'gives free memory back to the host' : 'opening a path can lead to it';
}

/** What finds the program and its files. */
const rootComponents = ['exec-path', 'rootfs', 'virtio-blk'];

/** What every machine that runs such programs has, whatever they call. */
const machineComponents = ['balloon'];

/** Makes an image from a program's objects, in which a system call is a direct call. */
export function linkProgram(request: LinkProgramRequest): BuiltImage {
  const timings: Record<string, number> = {};
  const components = measure(timings, 'components', () => loadComponents(request.libos));
  const build = (drivers: readonly string[] | undefined): BuiltImage => {
    const options = { ...request, ...(drivers && { drivers }) };
    const selection = measure(timings, 'select', () => select(options, 'linked', components, new Map()));
    const result = measure(timings, 'link', () =>
      link({
        inputs: request.inputs,
        ...(request.machine && { machine: request.machine }),
        ...linkOptions(request, selection, components),
        ...(request.keep && { keep: request.keep }),
        ...(request.defines && { defines: request.defines }),
        ...(request.gc !== undefined && { gc: request.gc }),
        ...(request.unwind !== undefined && { unwind: request.unwind }),
      }),
    );
    return finish(result, undefined, selection, timings);
  };
  const has = (name: string) => components.some(({ manifest }) => manifest.name === name);
  const drivers = (request.drivers ?? chosenDrivers(request.add ?? []))?.filter((name) => request.drivers !== undefined || has(name));
  const small = build(drivers);
  if (drivers !== undefined || (request.leaveOut ?? []).some((name) => fastDrivers.includes(name))) return small;
  // Where there is no virtio console yet, the serial port carries the output of large programs, too.
  if (!has('virtio-console')) return small;
  return small.manifest.components.some(({ name }) => largeProgramSigns.includes(name)) ? build(fastDrivers.filter(has)) : small;
}

/**
 * The 16550 keeps an image small and takes about 10 µs for each byte; the virtio console takes some 7 kB of code and carries pages at once. A program
 * that has a heap or reads its input is not one whose image is counted in kilobytes: it gets the fast one, unless a driver was asked for.
 */
const fastDrivers = ['virtio-console', 'virtio-mmio', 'virtio-pci'];
/** Of which a libOS has one. */
const smallDrivers = ['uart-16550', 'uart-pl011'];
const largeProgramSigns = ['vm', 'input'];

/** The drivers that an option names: a driver that is asked for takes the place of the kind's own. */
function chosenDrivers(add: readonly string[]): readonly string[] | undefined {
  if (add.includes('virtio-console')) return fastDrivers;
  return smallDrivers.some((name) => add.includes(name)) ? smallDrivers : undefined;
}

function select(
  options: ImageOptions & { readonly machine?: Machine },
  kind: 'binary' | 'linked',
  components: LoadedComponent[],
  calls: ReadonlyMap<number, string> | 'all',
  known?: Pick<Analysis, 'openedPaths' | 'socketFamilies'>,
): Selection {
  return selectComponents({
    kind,
    ...(options.machine && { machine: options.machine }),
    components: components.map(({ manifest }): Component => manifest),
    calls,
    ...(known?.openedPaths && { openedPaths: known.openedPaths }),
    ...(known?.socketFamilies && { socketFamilies: known.socketFamilies }),
    ...(options.add && { add: options.add }),
    ...(options.leaveOut && { leaveOut: options.leaveOut }),
    ...(options.drivers && { drivers: options.drivers }),
  });
}

function linkOptions(options: ImageOptions, selection: Selection, components: LoadedComponent[]) {
  // The linker may reach a component that no call asked for; only what was left out is out of its reach.
  const excluded = new Set(selection.excluded);
  return {
    components: components.filter(({ manifest }) => !excluded.has(manifest.name)),
    activate: selection.activate,
    ...(options.strip !== undefined && { strip: options.strip }),
  };
}

function link(request: LinkImageRequest): LinkResult {
  try {
    return linkImage(request);
  } catch (cause) {
    if (cause instanceof LinkError) throw new CompilerError('link', cause.message, { cause });
    throw cause;
  }
}

function finish(
  result: LinkResult,
  analysis: Analysis | undefined,
  selection: Selection,
  timings: Record<string, number>,
): BuiltImage {
  return {
    image: result.image,
    manifest: result.manifest,
    get map() {
      return result.map;
    },
    get symbols() {
      return result.symbols;
    },
    analysis,
    selection,
    timings,
  };
}

function measure<T>(timings: Record<string, number>, phase: string, run: () => T): T {
  const start = performance.now();
  const result = run();
  timings[phase] = performance.now() - start;
  return result;
}
