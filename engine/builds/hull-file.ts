/**
 * hull.yaml: what an image says about its machine. Owns: the file's form, its check, and the labels in the image's config that it becomes. Rules: labels are
 * what counts, so a Dockerfile's LABEL can say the same; the file's ones win, --label wins over both; an error names the line.
 *
 *   dockerfile: Dockerfile      the Dockerfile to build, beside this file (with -f hull.yaml)
 *   memory: 64m                 hull.memory             memory of the machine
 *   kernel: layer               hull.kernel             the kernel is in a layer of the image; linked: its program is one that hull cc linked
 *   options:
 *     machine: q35              hull.machine            machine type, as of hull run --machine
 *     read-only: true           hull.read-only          nothing is written to the root file system
 *   components:
 *     add: [trace]              hull.components.add     libOS components that the kernel has in any case
 *     omit: [tcp]               hull.components.omit    and those that it never has
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { MACHINE_KINDS } from '../../boot/index.ts';
import { findNearest } from '../../images/dockerfile/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';

/** What hull.kernel can be; engine/oci acts on it. */
const KERNEL_MODES = ['layer', 'linked'];

interface HullFile {
  readonly dockerfile?: string;
  readonly memory?: string | number;
  readonly kernel?: string;
  readonly options?: { readonly machine?: string; readonly 'read-only'?: boolean };
  readonly components?: { readonly add?: readonly string[]; readonly omit?: readonly string[] };
}

export interface CheckedHullFile {
  readonly dockerfile: string | undefined;
  readonly labels: ReadonlyMap<string, string>;
}

function makeSchema(components: readonly string[]): object {
  const list = { type: 'array', items: { enum: components }, uniqueItems: true };
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      dockerfile: { type: 'string', minLength: 1 },
      memory: { anyOf: [{ type: 'string', pattern: '^[0-9]+[kmgKMG]?[bB]?$' }, { type: 'integer', minimum: 1 }] },
      kernel: { enum: KERNEL_MODES },
      options: { type: 'object', additionalProperties: false, properties: { machine: { enum: MACHINE_KINDS }, 'read-only': { type: 'boolean' } } },
      components: { type: 'object', additionalProperties: false, properties: { add: list, omit: list } },
    },
  };
}

/** components: the names that this hull knows. */
export function readHullFile(path: string, components: readonly string[]): CheckedHullFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new EngineError('option-invalid', `Cannot read "${path}": ${describeSystemError(error)}, expected a hull.yaml`, { cause: error });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fail = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset);
    return new EngineError('option-invalid', `${path}:${Math.max(1, line)}:${Math.max(1, col)}: ${what}\n${String(line).padStart(4)} | ${text.split('\n')[line - 1] ?? ''}\n     | ${' '.repeat(Math.max(0, col - 1))}^`);
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw fail(broken.pos[0], broken.message);
  const value: unknown = document.toJS() ?? {};
  const check = new Ajv({ allErrors: false, allowUnionTypes: true }).compile<HullFile>(makeSchema(components));
  if (!check(value)) {
    const [error] = check.errors as [ErrorObject];
    const at = error.instancePath.split('/').slice(1);
    const isKey = error.keyword === 'additionalProperties';
    const name = isKey ? String((error.params as { additionalProperty: string }).additionalProperty) : at.at(-1);
    const inner = document.getIn(at, true);
    const key = isKey && isMap(inner) ? inner.items.map((pair) => pair.key).find((each) => isScalar(each) && each.value === name) : undefined;
    const node = (key ?? inner) as { range?: [number, number, number] } | undefined;
    throw fail(node?.range?.[0] ?? 0, describe(error, name, components, value, at));
  }
  const list = (names: readonly string[] | undefined) => (names === undefined || names.length === 0 ? undefined : names.join(','));
  const labels = Object.entries({
    'hull.memory': value.memory === undefined ? undefined : String(value.memory),
    'hull.kernel': value.kernel,
    'hull.machine': value.options?.machine,
    'hull.read-only': value.options?.['read-only'] === undefined ? undefined : String(value.options['read-only']),
    'hull.components.add': list(value.components?.add),
    'hull.components.omit': list(value.components?.omit),
  }).flatMap(([name, label]) => (label === undefined ? [] : [[name, label] as const]));
  return { dockerfile: value.dockerfile, labels: new Map(labels) };
}

function describe(error: ErrorObject, name: string | undefined, components: readonly string[], value: unknown, at: readonly string[]): string {
  if (error.keyword === 'additionalProperties') {
    const known = at[0] === 'components' ? ['add', 'omit'] : at[0] === 'options' ? ['machine', 'read-only'] : ['dockerfile', 'memory', 'kernel', 'options', 'components'];
    return `"${name}" is not known, expected ${findNearest(name ?? '', known) ?? `one of ${known.join(', ')}`}`;
  }
  const found = at.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
  if (at[0] === 'components' && at.length === 3) return `component "${String(found)}" is not known, expected ${findNearest(String(found), components) ?? 'one that docs/components.md lists'}`;
  if (error.keyword === 'enum') return `${JSON.stringify(found)} for ${at.at(-1)}, expected ${((error.params as { allowedValues: string[] }).allowedValues ?? []).join(' or ')}`;
  return `${JSON.stringify(found)} for ${at.join('.') || 'the file'} ${error.message ?? ''}, expected ${at[0] === 'memory' ? 'such as 64m' : 'what docs/dockerfile.md shows'}`;
}
