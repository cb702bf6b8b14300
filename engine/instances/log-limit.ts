/**
 * Bounded logs: what Docker's json-file driver does with max-size and max-file (docs.docker.com, "JSON File logging driver"). Owns: the options, and giving back the room of the oldest records. Rules: QEMU appends to
 * one file and knows nothing of this, so the file's beginning is given back to its file system (fallocate(2), PUNCH_HOLE) and offsets stay what they were; the floor is a record's beginning, noted before the
 * room goes. Who does it: whoever supervises, and each command that shows the logs; while nobody does, the log grows.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { RECORD_HEADER_SIZE, RECORD_MAGIC } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { outputPath, outputSize } from './output.ts';
import { loadInstance, saveState, tryInstance } from './store.ts';
import type { Instance, InstanceSpec } from './types.ts';

const BLOCK = 4096;
/** One record is at most 64 KiB. */
const WINDOW = 1 << 18;
const UNITS: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const DRIVERS = ['json-file', 'local'];

function parseLogSize(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,12})([kmg]?)b?$/i.exec(text) ?? [];
  return digits === undefined || Number(digits) === 0 ? undefined : Number(digits) * (UNITS[unit.toLowerCase()] as number);
}

/** EngineError: what cannot be meant, with Docker's words. */
export function checkLogging({ driver, options }: NonNullable<InstanceSpec['logging']>): void {
  if (driver === 'none') throw new EngineError('option-invalid', `Cannot use the logging driver "none": a machine's exit status is the last record of its log, expected ${DRIVERS.join(' or ')}`);
  if (!DRIVERS.includes(driver)) throw new EngineError('option-invalid', `logger: no log driver named '${driver}' is registered`);
  for (const [name, value] of Object.entries(options)) {
    if (name === 'max-size') {
      if (value !== '-1' && parseLogSize(value) === undefined) throw new EngineError('option-invalid', `invalid value for max-size: "${value}", expected such as 10m`);
    } else if (name === 'max-file') {
      if (!/^[1-9]\d{0,5}$/.test(value)) throw new EngineError('option-invalid', `invalid value for max-file: "${value}", expected a number from 1`);
      if (options['max-size'] === undefined && value !== '1') throw new EngineError('option-invalid', 'max-file cannot be used without max-size');
    } else if (!['labels', 'labels-regex', 'env', 'env-regex', 'tag', 'compress', 'mode', 'max-buffer-size'].includes(name)) {
      throw new EngineError('option-invalid', `unknown log opt '${name}' for ${driver} log driver`);
    }
  }
}

/** The bytes that are kept at least, and the further ones after which some go. */
function readLimit({ logging }: InstanceSpec): { keep: number; slack: number } | undefined {
  const size = parseLogSize(logging?.options['max-size'] ?? '');
  if (size === undefined) return undefined;
  const files = Number(logging?.options['max-file'] ?? 1);
  // As with files of that size of which the oldest goes when the newest is full; of a single one half stays.
  return files > 1 ? { keep: size * (files - 1), slack: size } : { keep: Math.floor(size / 2), slack: Math.ceil(size / 2) };
}

/** The first place from `from` on at which a record begins, and another behind it. undefined: none is there. */
function findRecord(path: string, from: number, end: number): number | undefined {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(WINDOW, end - from));
    const count = readSync(fd, bytes, 0, bytes.length, from);
    const isHead = (at: number) => at + RECORD_HEADER_SIZE <= count && bytes[at] === RECORD_MAGIC && bytes.readUInt32LE(at + 4) === 0;
    for (let at = 0; at + RECORD_HEADER_SIZE <= count; at++) {
      if (!isHead(at)) continue;
      const next = at + RECORD_HEADER_SIZE + bytes.readUInt16LE(at + 2);
      if (isHead(next)) return from + at;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Gives back what is too much; nothing happens where there is no limit, or somebody else works on the instance. */
export function limitLog(instance: Instance): void {
  const limit = readLimit(instance.config);
  if (limit === undefined || outputSize(instance.folder) - (instance.state.logFloor ?? 0) <= limit.keep + limit.slack) return;
  tryInstance(instance, () => limitUnderLock(instance));
}

/** The same by who has the instance's lock. */
function limitUnderLock(instance: Instance): void {
  const limit = readLimit(instance.config);
  const now = loadInstance(dirname(instance.folder), instance.id);
  if (limit === undefined || now === undefined) return;
  const path = outputPath(now.folder);
  const size = outputSize(now.folder);
  const before = now.state.logFloor ?? 0;
  if (size - before <= limit.keep + limit.slack) return;
  const floor = findRecord(path, size - limit.keep, size) ?? size - limit.keep;
  // The run's own end is looked for behind logStart.
  saveState(now, { ...now.state, logFloor: floor, logStart: Math.max(now.state.logStart, floor) });
  const [first, last] = [Math.floor(before / BLOCK) * BLOCK, Math.floor(floor / BLOCK) * BLOCK];
  if (last <= first) return;
  try {
    execFileSync('fallocate', ['--punch-hole', '--offset', String(first), '--length', String(last - first), '--', path], { stdio: 'ignore' });
  } catch {
    // A file system without holes, or a host without the program: the room stays, the records are gone from the logs.
  }
}
