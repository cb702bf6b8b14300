/**
 * The command line of `hull cc`: what cc takes, as POSIX c99 and GCC's manual ("Invoking GCC") have it, and a few options of hull's own.
 *
 * Owns: the meaning of each option. What is about the host's linker, or would break the image, is dropped or refused here; what only the
 * compiler needs goes to it as it is. Pure: reads nothing but response files, through `readText`.
 */
import { CcError } from './error.ts';

export type Stage = 'preprocess' | 'assembly' | 'object' | 'image';

export type Item =
  | { kind: 'source'; path: string; language: string | undefined }
  | { kind: 'object'; path: string }
  | { kind: 'library'; name: string }
  | { kind: 'whole'; on: boolean };

export type CcOptions = {
  stage: Stage;
  /** The instruction set that the image is for. */
  isa: 'x86_64' | 'aarch64';
  items: Item[];
  /** For the compiler, in their order. */
  compilerFlags: string[];
  libraryPaths: string[];
  output: string | undefined;
  strip: boolean;
  verbose: boolean;
  collectSections: boolean;
  standardLibraries: boolean;
  /** Ask the compiler itself and do nothing else (--version, -dumpmachine, -print-…). */
  query: boolean;
  /** -MD or -MMD without -MF: the name of the dependency file is ours to choose. */
  dependencies: { wanted: boolean; file: boolean };
  positionIndependent: boolean;
  keep: string[];
  entry: string | undefined;
  defines: Record<string, bigint>;
  map: string | undefined;
  symbols: string | undefined;
  add: string[];
  omit: string[];
};

/** Docker's names of platforms. */
const PLATFORMS: Record<string, CcOptions['isa']> = { 'linux/amd64': 'x86_64', 'linux/x86_64': 'x86_64', 'linux/arm64': 'aarch64', 'linux/aarch64': 'aarch64' };

/** Compiler options whose value is the next argument. */
const WITH_VALUE = new Set([
  '-D', '-U', '-I', '-include', '-imacros', '-isystem', '-iquote', '-idirafter', '-iprefix', '-iwithprefix', '-MF', '-MT', '-MQ',
  '-Xpreprocessor', '-Xassembler', '-Xclang', '--param', '-aux-info', '-mllvm', '-dumpdir', '-dumpbase',
]);

/** About the host's linker or the kind of executable; an image is always position-independent and static. */
const DROPPED = new Set([
  '-static', '-static-pie', '-pie', '-no-pie', '-nopie', '-rdynamic', '-static-libgcc', '-shared-libgcc', '-static-libstdc++', '-pipe',
  '-nostartfiles', '-fno-pie', '-fno-PIE', '-fno-pic', '-fno-PIC', '-fPIE', '-fpie', '-m64', '-no-canonical-prefixes',
]);
const DROPPED_PREFIXES = ['-flto', '-fno-lto', '-ffat-lto', '-fno-fat-lto', '-fuse-ld=', '-fwhole-program', '-fuse-linker-plugin', '-specs=', '--sysroot=', '-fno-use-linker-plugin'];

const REFUSED: [RegExp, string][] = [
  [/^-shared$/, 'a unikernel has no shared libraries, expected -c or an image'],
  [/^(-r|--relocatable)$/, 'hull cc writes objects with -c and images, expected one of these'],
  [/^-m(32|x32|16)$/, 'hull runs 64-bit programs, expected -m64'],
  [/^-fsanitize=/, 'hull has no sanitizer run-time library, expected a build without it'],
  [/^(-pg|--coverage|-fprofile-arcs|-fprofile-generate.*|-fprofile-instr-generate.*)$/, 'hull has no profiling run-time library, expected a build without it'],
  [/^-mcmodel=(large|medium)/, 'the image lies in the top 2 GiB, expected -mcmodel=small'],
  [/^(-T|--script=)/, 'the layout of an image is fixed, expected no linker script'],
];

const QUERIES = /^(--version|-dumpmachine|-dumpversion|-dumpfullversion|-dumpspecs|-print-.*|--print-.*|-###|--help.*|--target-help)$/;
const SOURCE = /\.(c|i|s|S|sx|cc|cp|cpp|cxx|c\+\+|C|ii|m|f)$/;

/** Splits a response file as GCC does: blanks separate, quotes and backslashes protect. */
export function splitResponse(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === '\\' && i + 1 < text.length) word = (word ?? '') + text[++i];
    else if (quote !== '') {
      if (c === quote) quote = '';
      else word = (word ?? '') + c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function expandResponses(args: readonly string[], readText: (path: string) => string | undefined, depth = 0): string[] {
  return args.flatMap((arg) => {
    if (!arg.startsWith('@') || arg.length === 1) return [arg];
    const text = readText(arg.slice(1));
    // As GCC: an argument that names no readable file is taken literally.
    if (text === undefined) return [arg];
    if (depth > 8) throw new CcError('bad-option', `Cannot read "${arg}": response files are nested too deep, expected at most 8 levels`);
    return expandResponses(splitResponse(text), readText, depth + 1);
  });
}

/** Options for the linker, from -Wl, and -Xlinker. Those that say how a dynamic executable is made mean nothing here. */
function takeLinkerOption(options: CcOptions, words: string[]): void {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const [name, inline] = word.split(/=(.*)/s) as [string, string | undefined];
    const value = () => {
      const found = inline ?? words[++i];
      if (found === undefined) throw new CcError('bad-option', `Cannot use "-Wl,${word}": it has no value, expected one`);
      return found;
    };
    switch (name.replace(/^--/, '-')) {
      case '-s': case '-strip-all': options.strip = true; break;
      case '-gc-sections': options.collectSections = true; break;
      case '-no-gc-sections': options.collectSections = false; break;
      case '-whole-archive': options.items.push({ kind: 'whole', on: true }); break;
      case '-no-whole-archive': options.items.push({ kind: 'whole', on: false }); break;
      case '-Map': options.map = value(); break;
      case '-u': case '-undefined': case '-require-defined': options.keep.push(value()); break;
      case '-e': case '-entry': throw new CcError('unsupported', `Cannot use "-Wl,${word}": an image starts at main, expected no entry`);
      case '-L': options.libraryPaths.push(value()); break;
      case '-defsym': {
        const [symbol, number] = value().split('=') as [string, string | undefined];
        if (number === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(number)) {
          throw new CcError('bad-option', `Cannot use "-Wl,${word}": not NAME=NUMBER, expected an absolute value`);
        }
        options.defines[symbol] = BigInt(number);
        break;
      }
      case '-z': case '-soname': case '-h': case '-rpath': case '-rpath-link': case '-dynamic-linker': case '-hash-style': case '-build-id': case '-m':
        if (inline === undefined && name !== '--build-id' && name !== '-build-id') i++;
        break;
      default:
        if (name.startsWith('-l')) options.items.push({ kind: 'library', name: name.slice(2) });
        else if (/^-L./.test(name)) options.libraryPaths.push(word.slice(2));
        else if (!word.startsWith('-')) options.items.push({ kind: 'object', path: word });
        // Everything else (-O1, --as-needed, --start-group, --export-dynamic, …) changes nothing in an image.
    }
  }
}

export function parseCcOptions(given: readonly string[], readText: (path: string) => string | undefined): CcOptions {
  const args = expandResponses(given, readText);
  const options: CcOptions = {
    stage: 'image', isa: 'x86_64', items: [], compilerFlags: [], libraryPaths: [], output: undefined, strip: false, verbose: false,
    collectSections: true, standardLibraries: true, query: false, dependencies: { wanted: false, file: false },
    positionIndependent: false, keep: [], entry: undefined, defines: {}, map: undefined, symbols: undefined, add: [], omit: [],
  };
  let language: string | undefined;
  let onlyFiles = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const next = (what: string): string => {
      const value = args[++i];
      if (value === undefined) throw new CcError('bad-option', `Cannot use "${arg}": it has no value, expected ${what}`);
      return value;
    };
    const joined = (name: string, what: string): string | undefined => {
      if (arg === name) return next(what);
      return arg.startsWith(`${name}=`) ? arg.slice(name.length + 1) : undefined;
    };
    if (onlyFiles || !arg.startsWith('-') || arg === '-') {
      const isSource = language !== undefined || arg === '-' || SOURCE.test(arg);
      options.items.push(isSource ? { kind: 'source', path: arg, language } : { kind: 'object', path: arg });
      continue;
    }
    const refused = REFUSED.find(([pattern]) => pattern.test(arg));
    if (refused) throw new CcError('unsupported', `Cannot use "${arg}": ${refused[1]}`);
    let value: string | undefined;
    if (arg === '--') onlyFiles = true;
    else if (arg === '-c') options.stage = 'object';
    else if (arg === '-S') options.stage = 'assembly';
    else if (arg === '-E') options.stage = 'preprocess';
    else if (arg === '-M' || arg === '-MM') {
      options.stage = 'preprocess';
      options.compilerFlags.push(arg);
    } else if (arg === '-fsyntax-only') {
      options.stage = 'object';
      options.compilerFlags.push(arg);
    } else if (arg === '-o') options.output = next('a file');
    else if (arg.startsWith('-o')) options.output = arg.slice(2);
    else if (arg === '-x' || (arg.startsWith('-x') && arg.length > 2)) {
      const name = arg === '-x' ? next('a language') : arg.slice(2);
      language = name === 'none' ? undefined : name;
    } else if (arg === '-l' || arg.startsWith('-l')) {
      options.items.push({ kind: 'library', name: arg === '-l' ? next('a library') : arg.slice(2) });
    } else if (arg === '-L' || arg.startsWith('-L')) options.libraryPaths.push(arg === '-L' ? next('a folder') : arg.slice(2));
    else if (arg.startsWith('-Wl,')) takeLinkerOption(options, arg.slice(4).split(',').filter(Boolean));
    else if (arg === '-Xlinker') {
      const words = [next('a linker option')];
      while (args[i + 1] === '-Xlinker') {
        i++;
        words.push(next('a linker option'));
      }
      takeLinkerOption(options, words);
    } else if (arg === '-u' || arg === '-z' || arg === '-e') {
      if (arg === '-u') options.keep.push(next('a symbol'));
      else if (arg === '-z') next('a keyword');
      else throw new CcError('unsupported', `Cannot use "-e": an image starts at main, expected no entry`);
    } else if (arg === '-s') options.strip = true;
    else if (arg === '-v') options.verbose = true;
    else if (arg === '-nostdlib' || arg === '-nodefaultlibs' || arg === '-nolibc') options.standardLibraries = false;
    else if (arg === '-pthread') options.compilerFlags.push('-D_REENTRANT');
    else if (arg === '-target' || arg === '-arch' || arg === '-isysroot' || arg === '--sysroot') next('a value');
    else if ((value = joined('--platform', 'linux/amd64')) !== undefined) {
      const isa = PLATFORMS[value.replace(/\/v8$/, '')];
      if (isa === undefined) throw new CcError('unsupported', `Cannot compile for "${value}": no libOS for it here, expected linux/amd64 or linux/arm64`);
      options.isa = isa;
    } else if ((value = joined('--hull-map', 'a file')) !== undefined) options.map = value;
    else if ((value = joined('--hull-symbols', 'a file')) !== undefined) options.symbols = value;
    else if ((value = joined('--hull-add', 'a component')) !== undefined) options.add.push(...value.split(','));
    else if ((value = joined('--hull-omit', 'a component')) !== undefined) options.omit.push(...value.split(','));
    else if (arg.startsWith('--hull-')) throw new CcError('bad-option', `Cannot use "${arg}": unknown, expected --hull-map, -symbols, -add or -omit`);
    else if (QUERIES.test(arg)) {
      options.query = true;
      options.compilerFlags.push(arg);
    } else if (/^--?target=/.test(arg) || DROPPED.has(arg) || DROPPED_PREFIXES.some((prefix) => arg.startsWith(prefix))) {
      // means nothing here
    } else if (WITH_VALUE.has(arg)) {
      options.compilerFlags.push(arg, next('a value'));
      if (arg === '-MF') options.dependencies.file = true;
    } else {
      if (arg === '-MD' || arg === '-MMD') options.dependencies.wanted = true;
      if (arg.startsWith('-MF')) options.dependencies.file = true;
      if (/^-f(pic|PIC)$/.test(arg)) options.positionIndependent = true;
      options.compilerFlags.push(arg);
    }
  }
  const inputs = options.items.filter((item) => item.kind !== 'whole');
  if (!options.query && inputs.length === 0 && !options.verbose) {
    throw new CcError('no-input', 'Cannot compile "": no input files, expected at least one');
  }
  if (inputs.length === 0) options.query = true;
  const sources = options.items.filter((item) => item.kind === 'source');
  if (options.stage !== 'image' && options.output !== undefined && sources.length > 1) {
    throw new CcError('bad-option', `Cannot write "${options.output}": ${sources.length} sources would go there, expected one source with -c, -S or -E and -o`);
  }
  return options;
}
