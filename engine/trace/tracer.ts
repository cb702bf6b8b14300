/**
 * System calls of a machine, shown as strace shows a process's. Owns: which calls are traced (the rules for the guest), and the lines made of
 * what it tells (boot ABI, HULL_RECORD_TRACE_*). Rules: a call that lasts is shown when it began, and again when it ended; what a record
 * lacks is shown as an address; a damaged record shows less and breaks nothing.
 */
import { constants } from 'node:os';
import { type MachineEnd, RECORD } from '../../boot/index.ts';
import { type CallMachine, listSyscalls } from '../../compiler/select/index.ts';
import { EngineError } from '../errors.ts';
import { CLASSES, isInClass, readShapes, type Shape } from './calls.ts';
import { formatError } from './names.ts';
import { formatParameter, formatSignal, type Given, parseParameter } from './values.ts';

export interface Tracer {
  /** For the boot module. */
  readonly rules: Buffer;
  /** Where lines go; before the first record. */
  connect(write: (line: string) => void): void;
  record(type: number, payload: Buffer): void;
  end(end: MachineEnd): void;
}

interface Pending {
  readonly shape: Shape;
  readonly args: readonly bigint[];
  readonly pieces: Map<number, Buffer>;
  /** How many parameters were shown already, as the beginning of a call that lasts. */
  shown: number;
}

const RULE_SIZE = 8;
const ARGUMENTS = 6;
const VECTORS = 8; // number of the first piece that is an iovec's content
const RESULT_COLUMN = 40;
/** A call that takes longer is shown before it ends. */
const LASTING_MS = 200;

/** `machine`: of the program, whose numbers its calls have. */
export function createTracer(set: string, machine?: CallMachine): Tracer {
  let write = (_line: string): void => {};
  const shapes = readShapes(machine);
  const names = new Map(listSyscalls(machine).map(({ number, name }) => [number, name]));
  const wanted = selectCalls(set, names, shapes);
  const unknown = (name: string): Shape => ({ name, result: 'number', parameters: Array.from({ length: ARGUMENTS }, () => parseParameter('hex', 'x86_64')) });
  const pending = new Map<number, Pending>();
  let timer: NodeJS.Timeout | undefined;

  const showLasting = () => {
    timer = undefined;
    for (const [thread, call] of pending) {
      if (call.shown > 0) continue;
      const known = call.shape.parameters.findIndex(({ after }) => after);
      const parts = formatParameters(call, undefined).slice(0, known < 0 ? undefined : known);
      call.shown = parts.length + 1;
      write(`${prefix(thread)}${call.shape.name}(${parts.filter((part) => part !== undefined).join(', ')}${known > 0 ? ',' : ''} <unfinished ...>`);
    }
  };
  const finish = (thread: number, call: Pending, result: string, value: bigint | undefined) => {
    const parts = formatParameters(call, value);
    const rest = parts.slice(Math.max(0, call.shown - 1)).filter((part) => part !== undefined);
    const start = call.shown > 0 ? `<... ${call.shape.name} resumed>` : `${call.shape.name}(`;
    write(`${prefix(thread)}${`${start}${rest.join(', ')})`.padEnd(RESULT_COLUMN - 1)} = ${result}`);
    pending.delete(thread);
  };

  return {
    rules: makeRules(wanted, names, shapes),
    connect(to) {
      write = to;
    },
    record(type, payload) {
      const thread = payload.readUInt32LE(4);
      if (type === RECORD.TRACE_ENTER) {
        const number = payload.readUInt32LE(0);
        const name = names.get(number) ?? `syscall_${hexNumber(number)}`;
        const shape = shapes.get(name) ?? unknown(name);
        const args = Array.from({ length: ARGUMENTS }, (_, i) => payload.readBigUInt64LE(8 + i * 8));
        const before = pending.get(thread);
        if (before !== undefined) finish(thread, before, '?', undefined); // it did not return: rt_sigreturn, say
        pending.set(thread, { shape, args, pieces: readPieces(payload, 56), shown: 0 });
        timer ??= setTimeout(showLasting, LASTING_MS).unref();
        return;
      }
      const call = pending.get(thread);
      if (call === undefined) return;
      for (const [index, bytes] of readPieces(payload, 16)) call.pieces.set(index, bytes);
      const result = payload.readBigInt64LE(8);
      finish(thread, call, formatResult(call.shape, result), result);
    },
    end(end) {
      clearTimeout(timer);
      for (const [thread, call] of [...pending]) finish(thread, call, '?', undefined);
      if (end.kind === 'exited') write(`+++ exited with ${end.code} +++`);
      else if (end.kind === 'signaled') write(`+++ killed by ${formatSignal(end.signal)} +++`);
    },
  };
}

const hexNumber = (number: number) => `0x${number.toString(16)}`;
const prefix = (thread: number) => (thread === 1 ? '' : `[pid ${thread}] `);

function readPieces(payload: Buffer, start: number): Map<number, Buffer> {
  const pieces = new Map<number, Buffer>();
  for (let at = start; at + 4 <= payload.length; ) {
    const size = payload.readUInt16LE(at + 2);
    pieces.set(payload[at] as number, Buffer.from(payload.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return pieces;
}

function formatParameters({ shape, args, pieces }: Pending, result: bigint | undefined): (string | undefined)[] {
  const vectors = [0, 1, 2, 3].map((i) => pieces.get(VECTORS + i));
  return shape.parameters.map((parameter, i) => {
    const given: Given = { value: args[i] as bigint, all: parameter.kind === 'mode?' ? args.slice(0, i) : args, bytes: pieces.get(i), vectors };
    return formatParameter(parameter, given, result);
  });
}

function formatResult(shape: Shape, result: bigint): string {
  if (result < 0n && result >= -4095n) return formatError(Number(-result), constants.errno);
  if (shape.result === 'hex') return `0x${BigInt.asUintN(64, result).toString(16)}`;
  if (shape.result === 'oct') return `0${result.toString(8)}`;
  return String(result);
}

/** The calls that a set names: names and classes, separated by commas; "!" before it for all others. */
function selectCalls(set: string, names: ReadonlyMap<number, string>, shapes: ReadonlyMap<string, Shape>): Set<string> {
  const isInverse = set.startsWith('!');
  const all = [...names.values()];
  const found = new Set<string>();
  for (const word of (isInverse ? set.slice(1) : set).split(',')) {
    const plain = word.replace(/^%/, '');
    if (plain === 'all' || plain === '') for (const name of all) found.add(name);
    else if ((CLASSES as readonly string[]).includes(plain)) {
      for (const name of all) if (isInClass(plain, name, shapes.get(name))) found.add(name);
    } else if (plain === 'none') continue;
    else if (all.includes(plain)) found.add(plain);
    else {
      throw new EngineError('option-invalid', `Cannot trace "${word}": no system call or class of that name, expected names, ${CLASSES.join(', ')} or all`);
    }
  }
  return isInverse ? new Set(all.filter((name) => !found.has(name))) : found;
}

function makeRules(wanted: ReadonlySet<string>, names: ReadonlyMap<number, string>, shapes: ReadonlyMap<string, Shape>): Buffer {
  const rules = Buffer.alloc((Math.max(...names.keys()) + 1) * RULE_SIZE);
  for (const [number, name] of names) {
    if (!wanted.has(name)) continue;
    rules[number * RULE_SIZE] = 1;
    shapes.get(name)?.parameters.forEach(({ capture }, i) => {
      rules[number * RULE_SIZE + 1 + i] = capture;
    });
  }
  return rules;
}
