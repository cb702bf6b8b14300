/**
 * A Dockerfile -> stages of instructions. Owns: the order in which instructions may come. Rules ("Dockerfile reference", FROM, ARG, ONBUILD;
 * "Multi-stage builds"): ARG alone may come before the first FROM; a stage is known by its number and by its name in any case; of two with
 * the same name the later one is meant.
 */
import { findInstruction } from './grammar.ts';
import { type Instruction, makeInstructionError, parseInstruction, splitArguments, splitPairs, type Word } from './instruction.ts';
import { type Directives, readDirectives, readLogicalLines } from './lines.ts';
import { DockerfileError, type DockerfileSource, makeSource } from './source.ts';

export interface Stage {
  /** From 0. */
  readonly index: number;
  /** In lower case. */
  readonly name?: string;
  readonly from: Instruction;
  /** The image or stage that it starts from, not expanded. */
  readonly base: Word;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly source: DockerfileSource;
  readonly directives: Directives;
  /** ARG before the first FROM. */
  readonly globals: readonly Instruction[];
  readonly stages: readonly Stage[];
}

const STAGE_NAME = /^[a-z][a-z0-9_.-]*$/;
const NOT_AS_TRIGGER = ['FROM', 'ONBUILD', 'MAINTAINER'];

export function parseDockerfile(name: string, text: string): Dockerfile {
  const source = makeSource(name, text);
  const directives = readDirectives(source);
  const globals: Instruction[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const line of readLogicalLines(source, directives.escape)) {
    const instruction = parseInstruction(source, line, directives.escape);
    const stage = stages.at(-1);
    if (instruction.keyword === 'FROM') stages.push(openStage(instruction, stages.length));
    else if (stage !== undefined) stage.instructions.push(checkInstruction(instruction));
    else if (instruction.keyword === 'ARG') globals.push(instruction);
    else throw makeInstructionError(instruction, `${instruction.keyword} before the first FROM, expected FROM or ARG`);
  }
  if (stages.length === 0) throw new DockerfileError(source, { line: 1, column: 1, length: 1 }, 'no instruction FROM, expected a Dockerfile with a stage');
  return { source, directives, globals, stages };
}

function openStage(from: Instruction, index: number): Stage & { instructions: Instruction[] } {
  const [base, as, name, more] = splitArguments(from.rest) as [Word, Word?, Word?, Word?];
  if (as === undefined) return { index, from, base, instructions: [] };
  if (as.text.toUpperCase() !== 'AS') throw makeInstructionError(from, `"${as.text}" behind the image, expected AS NAME or nothing`, as);
  if (name === undefined) throw makeInstructionError(from, 'AS without a name, expected FROM IMAGE AS NAME', as);
  if (more !== undefined) throw makeInstructionError(from, `"${more.text}" behind the stage's name, expected nothing`, more);
  const lower = name.text.toLowerCase();
  if (!STAGE_NAME.test(lower)) {
    throw makeInstructionError(from, `stage name "${name.text}", expected a letter, then letters, digits, "_", "-" and "."`, name);
  }
  if (lower === 'scratch' || lower === 'context') throw makeInstructionError(from, `stage name "${name.text}" is reserved, expected another one`, name);
  return { index, name: lower, from, base, instructions: [] };
}

function checkInstruction(instruction: Instruction): Instruction {
  if (['ENV', 'LABEL', 'ARG'].includes(instruction.keyword)) splitPairs(instruction);
  if (instruction.keyword === 'ONBUILD') parseTrigger(instruction);
  if (instruction.keyword === 'SHELL' && (instruction.json === undefined || instruction.json.length === 0)) {
    throw makeInstructionError(instruction, 'SHELL without a JSON array, expected such as SHELL ["/bin/sh", "-c"]', instruction.rest);
  }
  return instruction;
}

/** The instruction that an ONBUILD holds. */
export function parseTrigger(instruction: Instruction): Instruction {
  const trigger = parseInstruction(instruction.source, instruction.line, instruction.escape, instruction.rest.offset);
  if (NOT_AS_TRIGGER.includes(trigger.keyword)) {
    throw makeInstructionError(instruction, `ONBUILD ${trigger.keyword}, expected an instruction other than ${NOT_AS_TRIGGER.join(', ')}`, instruction.rest);
  }
  return trigger;
}

/** A trigger that a base image brings: text of its own, named after the image. */
export function parseForeignTrigger(image: string, text: string): Instruction {
  const source = makeSource(`ONBUILD of ${image}`, text);
  const [line, more] = readLogicalLines(source, '\\');
  if (line === undefined || more !== undefined || findInstruction((line.text.match(/^\S+/) ?? [''])[0].toUpperCase()) === undefined) {
    throw new DockerfileError(source, { line: 1, column: 1, length: text.length }, `"${text}" of ${image} is no instruction, expected one`);
  }
  return checkInstruction(parseInstruction(source, line, '\\'));
}
