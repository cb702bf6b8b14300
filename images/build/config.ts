/**
 * Instructions that change how the image's program is started -> the image's config. Owns: ENV, LABEL, EXPOSE, VOLUME, USER, WORKDIR, CMD, ENTRYPOINT, SHELL,
 * STOPSIGNAL, HEALTHCHECK, ONBUILD, MAINTAINER ("Dockerfile reference"; config fields: OCI config.md and moby's image specification v1.2).
 * Rules: values are expanded with the variables as they were before the instruction; what cannot be meant is an error at its place.
 */
import { constants } from 'node:os';
import {
  type Expansion,
  ExpansionProblem,
  expandWord,
  expandWords,
  expectOneOf,
  type Flag,
  type Instruction,
  makeInstructionError,
  parseTrigger,
  splitArguments,
  splitPairs,
  type Word,
} from '../dockerfile/index.ts';
import type { ContainerConfig } from '../store/index.ts';
import { cleanPath } from './tree.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface StageConfig extends Writable<Omit<ContainerConfig, 'Env'>> {
  Env: Map<string, string>;
  /** CMD was set in this stage: a new ENTRYPOINT leaves it. */
  isCmdSet: boolean;
  author: string | undefined;
}

const DEFAULT_SHELL = ['/bin/sh', '-c'];
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** One word of an instruction, expanded; an error is at its place in the file. */
export function expandPart(instruction: Instruction, part: Word, expansion: Expansion): string {
  return withPlace(instruction, part, () => expandWord(part.text, expansion));
}

export function expandParts(instruction: Instruction, part: Word, expansion: Expansion): string[] {
  return withPlace(instruction, part, () => expandWords(part.text, expansion));
}

export function expandFlag(instruction: Instruction, flag: Flag, expansion: Expansion): string {
  return withPlace(instruction, { text: flag.value, offset: Math.max(flag.valueOffset, flag.offset) }, () => expandWord(flag.value, expansion));
}

function withPlace<T>(instruction: Instruction, part: Word, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof ExpansionProblem)) throw error;
    throw makeInstructionError(instruction, error.message, { offset: part.offset + error.offset, length: error.length });
  }
}

/** The command of CMD, ENTRYPOINT and RUN: a list as it is, or text for the shell. */
export function toCommand(instruction: Instruction, config: StageConfig): string[] {
  return instruction.json === undefined ? [...(config.Shell ?? DEFAULT_SHELL), instruction.rest.text] : [...instruction.json];
}

type Apply = (instruction: Instruction, config: StageConfig, expansion: Expansion) => void;

const APPLIES: Record<string, Apply> = {
  ENV(instruction, config, expansion) {
    const pairs = splitPairs(instruction).map(({ name, value }) => [expandPart(instruction, name, expansion), expandPart(instruction, value as Word, expansion)] as const);
    for (const [name, value] of pairs) config.Env.set(name, value);
  },
  LABEL(instruction, config, expansion) {
    const pairs = splitPairs(instruction).map(({ name, value }) => [expandPart(instruction, name, expansion), expandPart(instruction, value as Word, expansion)] as const);
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs) };
  },
  MAINTAINER(instruction, config) {
    config.author = instruction.rest.text;
  },
  EXPOSE(instruction, config, expansion) {
    const ports = splitArguments(instruction.rest).flatMap((word) =>
      expandParts(instruction, word, expansion).flatMap((text) => {
        const found = parsePorts(text);
        if (found === undefined) throw makeInstructionError(instruction, `port "${text}", expected a number up to 65535 or a range, and /tcp, /udp or /sctp`, word);
        return found;
      }),
    );
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  },
  VOLUME(instruction, config, expansion) {
    const texts = instruction.json?.map((text) => expandPart(instruction, { text, offset: instruction.rest.offset }, expansion)) ?? splitArguments(instruction.rest).map((word) => expandPart(instruction, word, expansion));
    if (texts.length === 0 || texts.some((text) => text.trim() === '')) throw makeInstructionError(instruction, 'VOLUME with an empty path, expected a path', instruction.rest);
    config.Volumes = { ...config.Volumes, ...Object.fromEntries(texts.map((text) => [text, {}])) };
  },
  USER(instruction, config, expansion) {
    config.User = expandPart(instruction, instruction.rest, expansion);
  },
  WORKDIR(instruction, config, expansion) {
    config.WorkingDir = cleanPath(expandPart(instruction, instruction.rest, expansion), config.WorkingDir || '/');
  },
  CMD(instruction, config) {
    config.Cmd = toCommand(instruction, config);
    config.isCmdSet = true;
  },
  ENTRYPOINT(instruction, config) {
    config.Entrypoint = toCommand(instruction, config);
    if (!config.isCmdSet) config.Cmd = null;
  },
  SHELL(instruction, config) {
    config.Shell = [...(instruction.json as readonly string[])];
  },
  STOPSIGNAL(instruction, config, expansion) {
    const text = expandPart(instruction, instruction.rest, expansion);
    const names = Object.keys(constants.signals);
    const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
    const isNumber = /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 64;
    if (!isNumber && !names.includes(name) && !/^SIGRT(MIN(\+\d{1,2})?|MAX(-\d{1,2})?)$/.test(name)) {
      throw makeInstructionError(instruction, `signal "${text}", ${expectOneOf(name, names)}`, instruction.rest);
    }
    config.StopSignal = text;
  },
  HEALTHCHECK: applyHealthcheck,
  ONBUILD(instruction, config) {
    parseTrigger(instruction);
    config.OnBuild = [...(config.OnBuild ?? []), instruction.rest.text];
  },
};

/** Whether it was one of these instructions. */
export function applyToConfig(instruction: Instruction, config: StageConfig, expansion: Expansion): boolean {
  const apply = APPLIES[instruction.keyword];
  apply?.(instruction, config, expansion);
  return apply !== undefined;
}

function parsePorts(text: string): string[] | undefined {
  const [, first, last, protocol = 'tcp'] = /^(?:(?:\[?[0-9a-f.:]*\]?:)?\d*:)?(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  if (first === undefined) return undefined;
  const from = Number(first);
  const to = Number(last ?? first);
  if (from > to || to > 65535) return undefined;
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

const UNITS_NS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Go's durations ("1m30s", "1.5h") in ns; undefined: none. */
function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(number) * (UNITS_NS[unit as string] as number);
  return Math.round(total);
}

function applyHealthcheck(instruction: Instruction, config: StageConfig, expansion: Expansion): void {
  const { rest } = instruction;
  const [, kind = '', command = ''] = /^(\S+)\s*([^]*)$/.exec(rest.text) ?? [];
  const check: Record<string, unknown> = {};
  for (const flag of instruction.flags) {
    const text = expandFlag(instruction, flag, expansion);
    const part = { offset: flag.offset, length: flag.length };
    if (flag.name === 'retries') {
      if (!/^\d+$/.test(text)) throw makeInstructionError(instruction, `"--retries=${text}", expected a number`, part);
      check['Retries'] = Number(text);
      continue;
    }
    const duration = parseDuration(text);
    if (duration === undefined || (duration !== 0 && duration < 1e6)) throw makeInstructionError(instruction, `"--${flag.name}=${text}", expected a duration of 1ms or more, such as 1m30s`, part);
    check[{ interval: 'Interval', timeout: 'Timeout', 'start-period': 'StartPeriod', 'start-interval': 'StartInterval' }[flag.name] as string] = duration;
  }
  const upper = kind.toUpperCase();
  if (upper === 'NONE') {
    if (command !== '' || instruction.flags.length > 0) throw makeInstructionError(instruction, 'HEALTHCHECK NONE with more, expected nothing else', rest);
    config.Healthcheck = { Test: ['NONE'] };
    return;
  }
  if (upper !== 'CMD') throw makeInstructionError(instruction, `HEALTHCHECK "${kind}", ${expectOneOf(upper, ['CMD', 'NONE'])}`, { offset: rest.offset, length: kind.length });
  if (command === '') throw makeInstructionError(instruction, 'HEALTHCHECK CMD without a command, expected one', rest);
  let list: unknown;
  try {
    list = JSON.parse(command);
  } catch {
    list = undefined;
  }
  const isList = Array.isArray(list) && list.every((each) => typeof each === 'string');
  config.Healthcheck = { ...check, Test: isList ? ['CMD', ...(list as string[])] : ['CMD-SHELL', command] } as NonNullable<ContainerConfig['Healthcheck']>;
}

export function openConfig(base: ContainerConfig | undefined, author: string | undefined): StageConfig {
  const Env = new Map((base?.Env ?? []).map((line) => [line.slice(0, Math.max(0, line.indexOf('='))) || line, line.includes('=') ? line.slice(line.indexOf('=') + 1) : ''] as const));
  if (base === undefined) Env.set('PATH', DEFAULT_PATH);
  return { ...base, Env, isCmdSet: false, author };
}

/** As the image's config has it; what is empty is left out. */
export function closeConfig({ Env, isCmdSet: _, author: __, ...config }: StageConfig): ContainerConfig {
  const closed: Record<string, unknown> = {};
  const list = [...Env].map(([name, value]) => `${name}=${value}`);
  for (const [key, value] of Object.entries({ ...config, ...(list.length === 0 ? {} : { Env: list }) })) {
    const isEmpty = value === null || value === undefined || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
    // An empty CMD or ENTRYPOINT says that there is none.
    if (isEmpty && !(Array.isArray(value) && (key === 'Cmd' || key === 'Entrypoint'))) continue;
    closed[key] = sortKeys(value);
  }
  return closed;
}

function sortKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
