/**
 * The folder of an OCI image layout (OCI Image Layout Specification 1.1): oci-layout, index.json, blobs/. Owns: reading and replacing index.json.
 * Rules: it is replaced as a whole, by rename; what other tools wrote into it (entries, annotations) stays as it is.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { syncFolder } from './blobs.ts';
import { makeOwnName, removeQuietly } from './claims.ts';
import { explainWrite, StoreError } from './error.ts';
import { type Descriptor, type ImageIndex, MEDIA, parseIndex } from './oci.ts';

const LAYOUT = JSON.stringify({ imageLayoutVersion: '1.0.0' });

export interface LayoutIndex extends ImageIndex {
  readonly manifests: readonly Descriptor[];
}

function readText(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StoreError('store-invalid', `Cannot read "${path}": ${(error as Error).message}, expected an OCI image layout`, { cause: error });
  }
}

/** An absent layout is an empty one. */
export function readLayout(layout: string): LayoutIndex {
  const version = readText(join(layout, 'oci-layout'));
  if (version !== undefined) {
    let found: unknown;
    try {
      found = (JSON.parse(version.toString()) as { imageLayoutVersion?: unknown }).imageLayoutVersion;
    } catch {
      // said below
    }
    if (typeof found !== 'string' || !found.startsWith('1.')) {
      throw new StoreError('store-invalid', `Cannot read "${join(layout, 'oci-layout')}": its version is ${JSON.stringify(found) ?? 'missing'}, expected an OCI image layout of version 1`);
    }
  }
  const bytes = readText(join(layout, 'index.json'));
  if (bytes === undefined) return { schemaVersion: 2, mediaType: MEDIA.OCI_INDEX, manifests: [] };
  try {
    return parseIndex(bytes, join(layout, 'index.json'));
  } catch (cause) {
    throw new StoreError('store-invalid', (cause as Error).message, { cause });
  }
}

/** `temporary`: a folder in the same file system. Only under the store's lock. */
export function writeLayout(layout: string, temporary: string, index: LayoutIndex): void {
  const replace = (name: string, text: string) => {
    const fresh = join(temporary, makeOwnName());
    const path = join(layout, name);
    try {
      mkdirSync(temporary, { recursive: true, mode: 0o700 });
      mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true, mode: 0o755 });
      const fd = openSync(fresh, 'wx', 0o644);
      try {
        const bytes = Buffer.from(text);
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(fresh, path);
    } catch (error) {
      removeQuietly(fresh);
      throw explainWrite(error, path);
    }
  };
  if (readText(join(layout, 'oci-layout')) === undefined) replace('oci-layout', LAYOUT);
  replace('index.json', JSON.stringify(index));
  syncFolder(layout);
}
