/**
 * `hull image check`: whether a store is as it should be. Owns: what is looked at. Rules: reads everything, changes nothing; an error is something that
 * an image needs and has not, a note is what prune() would remove.
 */
import { join } from 'node:path';
import { streamBlob } from './blobs.ts';
import { isMakerAlive, listNames, readLeases } from './claims.ts';
import { type Descriptor, formatPlatform, isIndexType, isManifestType, parseConfig, parseIndex, parseManifest, REF_NAME } from './oci.ts';
import type { Store } from './store.ts';

export interface StoreProblem {
  readonly severity: 'error' | 'note';
  readonly text: string;
}

export interface StoreReport {
  readonly images: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly problems: readonly StoreProblem[];
}

export async function checkStore(store: Store): Promise<StoreReport> {
  const problems: StoreProblem[] = [];
  const error = (text: string) => void problems.push({ severity: 'error', text });
  const note = (text: string) => void problems.push({ severity: 'note', text });
  const { folders } = store;
  const checked = new Map<string, boolean>();
  let bytes = 0;
  const images = new Set<string>();

  const checkBlob = async ({ digest, size }: Descriptor, owner: string): Promise<boolean> => {
    const known = checked.get(digest);
    if (known !== undefined) return known;
    let isGood = true;
    try {
      for await (const chunk of streamBlob(folders, { digest, size })) bytes += chunk.length;
    } catch (cause) {
      isGood = false;
      error(`${owner}: ${(cause as Error).message}`);
    }
    checked.set(digest, isGood);
    return isGood;
  };

  const checkEntry = async (entry: Descriptor, owner: string, depth: number): Promise<void> => {
    if (depth > 4) return error(`${owner}: indexes in indexes, five deep`);
    if (!(await checkBlob(entry, owner))) return;
    try {
      if (isIndexType(entry.mediaType)) {
        for (const each of parseIndex(store.readBlob(entry.digest), entry.digest).manifests) {
          const name = each.platform === undefined ? owner : `${owner} (${formatPlatform(each.platform)})`;
          // A pull takes what it needs: other platforms may be absent as a whole.
          if (depth >= 0 && !store.hasBlob(each)) note(`${name}: not in the store`);
          else await checkEntry(each, name, depth + 1);
        }
      } else if (isManifestType(entry.mediaType)) {
        const manifest = parseManifest(store.readBlob(entry.digest), entry.digest);
        const isArtifact = manifest.artifactType !== undefined || manifest.subject !== undefined || !/image/.test(manifest.config.mediaType);
        if (!isArtifact) images.add(entry.digest);
        const isWhole = await checkBlob(manifest.config, owner);
        for (const layer of manifest.layers) if (layer.urls === undefined || store.hasBlob(layer)) await checkBlob(layer, owner);
        if (!isWhole || isArtifact) return;
        const { rootfs } = parseConfig(store.readBlob(manifest.config.digest), manifest.config.digest);
        if (rootfs.diff_ids.length !== manifest.layers.length) error(`${owner}: ${manifest.layers.length} layers and ${rootfs.diff_ids.length} diff_ids`);
      } else note(`${owner}: of type ${entry.mediaType}, which is no image`);
    } catch (cause) {
      error(`${owner}: ${(cause as Error).message}`);
    }
  };

  const names = new Map<string, string>();
  for (const entry of store.entries()) {
    const name = entry.annotations?.[REF_NAME];
    if (name !== undefined) {
      const before = names.get(name);
      if (before !== undefined && before !== entry.digest) error(`${name}: two images have this name, ${before} and ${entry.digest}`);
      names.set(name, entry.digest);
    }
    await checkEntry(entry, name ?? entry.digest, 0);
  }

  for (const name of listNames(folders.temporary)) if (!isMakerAlive(name)) note(`${join(folders.temporary, name)}: left by a killed process`);
  const leases = readLeases(folders.leases);
  for (const { path, isAlive } of leases) if (!isAlive) note(`${path}: left by a killed process`);
  const claimed = new Set(leases.flatMap(({ isAlive, kept }) => (isAlive ? kept : [])));
  const orphans = listNames(folders.blobs).filter((name) => !checked.has(`sha256:${name}`) && !claimed.has(`sha256:${name}`));
  if (orphans.length > 0) note(`${orphans.length} blobs that no image needs`);
  return { images: images.size, blobs: checked.size, bytes, problems };
}
