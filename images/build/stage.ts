/**
 * A stage while it is built, and what it is afterwards. Owns: its config, layers, history and tree. Rules: a tree is read from the layers only when somebody
 * looks at it; a layer is added to all of them at once.
 */
import { createHash } from 'node:crypto';
import { type HistoryEntry, type Image, type Platform, withoutKernel } from '../store/index.ts';
import { openConfig, type StageConfig } from './config.ts';
import type { LayerCache } from './layer-cache.ts';
import { applyLayer, cloneTree, makeDirectory, type Node } from './tree.ts';

export interface Filesystem {
  /** diffIds, lowest first. */
  readonly layers: readonly string[];
  /** Do not change it. */
  readTree(): Promise<Node>;
}

export interface StageResult extends Filesystem {
  readonly config: StageConfig;
  readonly history: readonly HistoryEntry[];
  readonly platform: Platform;
  /** ARG in it: a stage that starts from this one has them, too (docs.docker.com, "Build variables", Scoping). */
  readonly declared: ReadonlyMap<string, string | undefined>;
}

export interface StageState extends StageResult {
  readonly layers: string[];
  readonly history: HistoryEntry[];
  readonly declared: Map<string, string | undefined>;
  addLayer(diffId: string): Promise<void>;
  /** Names the layers below, whatever made them (OCI config.md, "Layer ChainID"). */
  chainId(): string;
}

export async function readTree(layers: readonly string[], cache: LayerCache): Promise<Node> {
  let root = makeDirectory();
  for (const diffId of layers) root = applyLayer(root, diffId, await cache.readIndex(diffId));
  return root;
}

export function openStage(base: StageResult | undefined, platform: Platform, cache: LayerCache): StageState {
  const layers = [...(base?.layers ?? [])];
  let tree: Node | undefined;
  const config = base === undefined ? openConfig(undefined, undefined) : { ...base.config, Env: new Map(base.config.Env), isCmdSet: false };
  return {
    config,
    layers,
    history: [...(base?.history ?? [])],
    platform: base?.platform ?? platform,
    declared: new Map(base?.declared),
    async readTree() {
      tree ??= base !== undefined && layers.length === base.layers.length ? cloneTree(await base.readTree()) : await readTree(layers, cache);
      return tree;
    },
    async addLayer(diffId) {
      layers.push(diffId);
      if (tree !== undefined) tree = applyLayer(tree, diffId, await cache.readIndex(diffId));
    },
    chainId: () => layers.reduce((chain, diffId) => (chain === '' ? diffId : `sha256:${createHash('sha256').update(`${chain} ${diffId}`).digest('hex')}`), ''),
  };
}

/** An image of the store as what a stage starts from. */
export function openImage(whole: Image, cache: LayerCache): StageResult {
  const image = withoutKernel(whole); // it is for what is built of the image no more
  const { config } = image;
  const layers = config.rootfs.diff_ids;
  layers.forEach((diffId, i) => {
    const descriptor = image.manifest.layers[i];
    if (descriptor !== undefined) cache.addStored(diffId, descriptor);
  });
  const known = (config.history ?? []).filter(({ empty_layer }) => empty_layer !== true).length;
  let tree: Promise<Node> | undefined;
  return {
    config: openConfig(config.config ?? {}, config.author),
    layers,
    // History tells of every layer or of none (config.md).
    history: [...(config.history ?? []), ...layers.slice(known).map(() => ({ created_by: 'unknown' }))],
    platform: { os: config.os, architecture: config.architecture, ...(config.variant === undefined ? {} : { variant: config.variant }) },
    declared: new Map(),
    readTree() {
      tree ??= readTree(layers, cache);
      return tree;
    },
  };
}
