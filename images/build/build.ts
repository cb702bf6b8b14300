/**
 * A Dockerfile and a context -> an image. Owns: the order of a build. Phases, and what holds after each:
 *   1. plan      the stages that the target needs, earlier ones first; every name in them means something
 *   2. stages    each stage's layers, config and history; a layer comes from the cache where its key is known
 *   3. assemble  the target's layers are in the image store, compressed; the image is written, and named last
 * Rules: what is not finished lies in the work folder; nothing has a name before it is complete; instructions of a stage run one after the other.
 */
import { type Instruction, makeInstructionError, parseForeignTrigger, readFlag, type Stage } from '../dockerfile/index.ts';
import { formatPlatform, type HistoryEntry, parsePlatform, type Platform } from '../store/index.ts';
import { type FileChange, findOwnerIn, planAdd } from './add.ts';
import { applyToConfig, expandFlag, expandPart, type StageConfig } from './config.ts';
import { addDirectory, CopyProblem, type Planned, toEntries } from './copy.ts';
import { planRun } from './execute.ts';
import { findStage, findTarget, planStages } from './plan.ts';
import type { Step } from './progress.ts';
import { type BuildRecord, findRecord, makeKey, saveRecord } from './records.ts';
import type { Session } from './session.ts';
import { openImage, openStage, type StageResult, type StageState } from './stage.ts';
import { findNode } from './tree.ts';
import { declareArgument, declareGlobal, makeExpansion } from './variables.ts';

/** Instructions that may change files; the others change the config only. */
const WITH_LAYERS = ['RUN', 'COPY', 'ADD', 'WORKDIR'];

export async function buildStages(session: Session, targetName: string | undefined): Promise<StageResult> {
  const { dockerfile } = session;
  for (const instruction of dockerfile.globals) declareGlobal(instruction, session.arguments);
  const lookUp = (name: string) => session.arguments.globals.get(name);
  const resolveBase = (stage: Stage) => expandPart(stage.from, stage.base, { escape: stage.from.escape, lookUp });
  const target = findTarget(dockerfile, targetName);
  for (const stage of planStages(dockerfile, target, resolveBase)) session.built.set(stage.index, await buildStage(session, stage, resolveBase(stage)));
  return session.built.get(target.index) as StageResult;
}

async function buildStage(session: Session, stage: Stage, baseName: string): Promise<StageResult> {
  const { dockerfile, settings } = session;
  const platform = readPlatform(session, stage.from) ?? settings.platform;
  const base = await findBase(session, stage, baseName, platform);
  const state = openStage(base, platform, session.cache);
  const triggers = (state.config.OnBuild ?? []).map((text) => parseForeignTrigger(baseName, text));
  state.config.OnBuild = [];
  const all = [...triggers, ...stage.instructions];
  const label = stage.name ?? (dockerfile.stages.length > 1 ? `stage-${stage.index}` : '');
  const shown = all.filter(({ keyword }) => WITH_LAYERS.includes(keyword));
  for (const instruction of all) {
    const place = `${shown.indexOf(instruction) + 1}/${shown.length}`;
    const title = `[${[settings.isOneOfSeveral === true ? formatPlatform(state.platform) : '', label, place].filter((part) => part !== '').join(' ')}] ${instruction.keyword} ${describe(instruction)}`;
    await applyInstruction(session, state, instruction, title);
  }
  return state;
}

function describe(instruction: Instruction): string {
  const flags = instruction.flags.map(({ name, value, valueOffset }) => `--${name}${valueOffset < 0 ? '' : `=${value}`} `).join('');
  return `${flags}${instruction.rest.text}`.replace(/\s+/g, ' ');
}

function readPlatform(session: Session, from: Instruction): Platform | undefined {
  const flag = readFlag(from, 'platform');
  if (flag === undefined) return undefined;
  const text = expandFlag(from, flag, { escape: from.escape, lookUp: (name) => session.arguments.globals.get(name) });
  try {
    return text === '' ? undefined : parsePlatform(text);
  } catch (error) {
    throw makeInstructionError(from, (error as Error).message, flag);
  }
}

async function findBase(session: Session, stage: Stage, name: string, platform: Platform): Promise<StageResult | undefined> {
  if (name === 'scratch') return undefined;
  if (name === '') throw makeInstructionError(stage.from, `"${stage.base.text}" is empty when its variables are expanded, expected an image or a stage`, stage.base);
  const earlier = /^\d+$/.test(name) ? undefined : findStage(session.dockerfile, name, stage.index);
  if (earlier !== undefined) return session.built.get(earlier.index);
  try {
    return openImage(await session.host.findImage(name, platform), session.cache);
  } catch (error) {
    throw makeInstructionError(stage.from, `Cannot start from "${name}": ${(error as Error).message}`, stage.base);
  }
}

async function applyInstruction(session: Session, state: StageState, instruction: Instruction, title: string): Promise<void> {
  const { declared } = state;
  const expansion = makeExpansion(state.config, declared, instruction.escape);
  const entry = (created: string, more: Partial<HistoryEntry>): HistoryEntry => ({ created, created_by: describeHistory(instruction, state.config, declared), ...more });
  if (instruction.keyword === 'ARG') {
    declareArgument(instruction, session.arguments, declared, expansion);
    state.history.push(entry(findTime(session, state, instruction), { empty_layer: true }));
    return;
  }
  let step: Step | undefined;
  const start = () => (step ??= session.progress.start(title));
  const isConfig = applyToConfig(instruction, state.config, expansion);
  if (isConfig && instruction.keyword !== 'WORKDIR') {
    state.history.push(entry(findTime(session, state, instruction), { empty_layer: true }));
    return;
  }
  try {
    const change = await planChange(session, state, instruction, start);
    const known = session.settings.noCache ? undefined : findRecord(session.cache, change.key);
    start();
    const record = known ?? (await makeRecord(session, change));
    if (record.diffId !== undefined) await state.addLayer(record.diffId);
    state.history.push(entry(record.created, record.diffId === undefined ? { empty_layer: true } : {}));
    step?.done(known === undefined ? 'done' : 'cached');
  } catch (error) {
    step?.done('failed');
    throw error;
  }
}

/** When an instruction that changes no file was first met here: building again gives the same image. */
function findTime(session: Session, state: StageState, instruction: Instruction): string {
  const key = makeKey(['config', state.chainId(), state.history.at(-1)?.created ?? '', instruction.line.text, session.settings.epoch ?? null]);
  const known = session.settings.noCache ? undefined : findRecord(session.cache, key);
  if (known !== undefined) return known.created;
  const created = toTime(session);
  saveRecord(session.cache, session.work, key, { created });
  return created;
}

function planChange(session: Session, state: StageState, instruction: Instruction, start: () => Step): Promise<FileChange> {
  const expansion = makeExpansion(state.config, state.declared, instruction.escape);
  if (instruction.keyword === 'RUN') return planRun(instruction, session, state, expansion, start);
  if (instruction.keyword === 'WORKDIR') return planWorkdir(instruction, session, state);
  return planAdd(instruction, session, state, expansion);
}

async function makeRecord(session: Session, change: FileChange): Promise<BuildRecord> {
  const diffId = await change.make();
  const record = { created: toTime(session), ...(diffId === undefined ? {} : { diffId }) };
  saveRecord(session.cache, session.work, change.key, record);
  return record;
}

/** WORKDIR makes its directory where there is none; it is USER's, as the directories above that are made with it. */
async function planWorkdir(instruction: Instruction, session: Session, state: StageState): Promise<FileChange> {
  const path = state.config.WorkingDir as string;
  const user = state.config.User ?? '';
  return {
    key: makeKey(['workdir', state.chainId(), path, user, session.settings.epoch ?? null]),
    async make() {
      const root = await state.readTree();
      if (findNode(root, path).node?.children !== undefined) return undefined;
      const planned: Planned = new Map();
      const owner = user === '' ? undefined : await findOwnerIn(root, user, session, (message) => makeInstructionError(instruction, `USER ${user}: ${message}`, instruction.rest));
      try {
        addDirectory(planned, root, findNode(root, path).path, { base: root, owner, mtimeNs: session.settings.mtimeNs });
      } catch (error) {
        if (error instanceof CopyProblem) throw makeInstructionError(instruction, error.message, instruction.rest);
        throw error;
      }
      return session.cache.write(toEntries(planned, new Map()), session.settings.epoch);
    },
  };
}

/** RFC 3339, as Docker writes it in image configs. */
export function toTime(session: Pick<Session, 'settings' | 'host'>): string {
  const { epoch } = session.settings;
  return epoch === undefined ? session.host.now().toISOString() : new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
}

function describeHistory(instruction: Instruction, config: StageConfig, declared: ReadonlyMap<string, string | undefined>): string {
  const { keyword, rest, json } = instruction;
  if (keyword !== 'RUN') return `${keyword} ${describe(instruction)}`;
  const args = [...declared].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const command = json === undefined ? [...(config.Shell ?? ['/bin/sh', '-c']), rest.text] : json;
  return `RUN ${args.length === 0 ? '' : `|${args.length} ${args.join(' ')} `}${command.join(' ')}`;
}

