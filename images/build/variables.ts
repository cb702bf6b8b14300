/**
 * Build arguments. Owns: which ARG has which value where ("Dockerfile reference", ARG, "Scope", "Predefined ARGs", "Automatic platform ARGs"). Rules: an
 * ARG before the first FROM is for FROM lines, and for stages that declare it again; a stage's ARG holds from its line on, and in stages that start from it; ENV of the same name
 * wins; proxies need no ARG and change no cache key.
 */
import type { Expansion, Instruction } from '../dockerfile/index.ts';
import { expectOneOf, makeInstructionError, splitPairs } from '../dockerfile/index.ts';
import { formatPlatform, type Platform } from '../store/index.ts';
import { expandPart, type StageConfig } from './config.ts';

export const PREDEFINED = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'FTP_PROXY', 'ftp_proxy', 'NO_PROXY', 'no_proxy', 'ALL_PROXY', 'all_proxy'];

export interface Arguments {
  /** --build-arg. */
  readonly given: ReadonlyMap<string, string>;
  /** Of platforms, and what ARG before FROM declared. */
  readonly globals: Map<string, string | undefined>;
  /** Names of --build-arg that some ARG asked for. */
  readonly used: Set<string>;
}

export function openArguments(given: ReadonlyMap<string, string>, target: Platform, build: Platform): Arguments {
  const globals = new Map<string, string | undefined>();
  for (const [prefix, platform] of [['TARGET', target], ['BUILD', build]] as const) {
    globals.set(`${prefix}PLATFORM`, formatPlatform(platform));
    globals.set(`${prefix}OS`, platform.os);
    globals.set(`${prefix}ARCH`, platform.architecture);
    globals.set(`${prefix}VARIANT`, platform.variant ?? '');
  }
  return { given, globals, used: new Set([...PREDEFINED, 'SOURCE_DATE_EPOCH', 'BUILDKIT_INLINE_CACHE', 'BUILDKIT_SYNTAX', 'BUILDKIT_MULTI_PLATFORM', 'BUILDKIT_CONTEXT_KEEP_GIT_DIR', 'BUILDKIT_SANDBOX_HOSTNAME']) };
}

export function declareGlobal(instruction: Instruction, all: Arguments): void {
  for (const { name, value } of splitPairs(instruction)) {
    const expansion = { escape: instruction.escape, lookUp: (each: string) => all.globals.get(each) };
    const own = value === undefined ? all.globals.get(name.text) : expandPart(instruction, value, expansion);
    all.globals.set(name.text, all.given.get(name.text) ?? own);
    all.used.add(name.text);
  }
}

/** ARG in a stage: what it adds to `declared`. */
export function declareArgument(instruction: Instruction, all: Arguments, declared: Map<string, string | undefined>, expansion: Expansion): void {
  for (const { name, value } of splitPairs(instruction)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name.text)) {
      throw makeInstructionError(instruction, `ARG "${name.text}" is no name of a variable, expected letters, digits and "_"`, name);
    }
    const own = value === undefined ? undefined : expandPart(instruction, value, expansion);
    declared.set(name.text, all.given.get(name.text) ?? own ?? all.globals.get(name.text) ?? declared.get(name.text));
    all.used.add(name.text);
  }
}

export function makeExpansion(config: StageConfig, declared: ReadonlyMap<string, string | undefined>, escaper: string): Expansion {
  const env = new Map(config.Env);
  return { escape: escaper, lookUp: (name) => env.get(name) ?? declared.get(name) };
}

/** What --build-arg gave that nothing asked for, as lines for a person. */
export function describeUnused(all: Arguments): string[] {
  return [...all.given.keys()]
    .filter((name) => !all.used.has(name))
    .map((name) => `--build-arg ${name} was not consumed: no ARG ${name} in what was built, ${expectOneOf(name, [...all.used].filter((each) => !PREDEFINED.includes(each) && !each.startsWith('BUILDKIT_')))}`);
}
