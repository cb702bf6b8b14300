/** Dockerfiles as text: their grammar, parser and the expansion of variables. */
export { type Expansion, ExpansionProblem, expandWord, expandWords } from './expand.ts';
export { DIRECTIVES, type FlagSpec, INSTRUCTIONS, type InstructionSpec, type Support } from './grammar.ts';
export { type Flag, type Instruction, listFlags, makeInstructionError, type Pair, readFlag, splitArguments, splitPairs, type Word } from './instruction.ts';
export type { Directives, Heredoc } from './lines.ts';
export { type Dockerfile, parseDockerfile, parseForeignTrigger, parseTrigger, type Stage } from './parse.ts';
export { type DockerfileSource, expectOneOf, findNearest, type Place } from './source.ts';
