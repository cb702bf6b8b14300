/**
 * The compiled libOS on disk: a directory with components.json and one archive a component.
 *
 * Owns: reading it. What holds after: manifests are checked, and each has its archive's bytes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompilerError } from './error.ts';
import { type Component, readManifests } from './select/index.ts';

export type LoadedComponent = { manifest: Component; archive: Uint8Array };

/** `archives: false`: manifests only, where nothing is linked. */
export function loadComponents(directory: string, options: { archives?: boolean } = {}): LoadedComponent[] {
  const file = join(directory, 'components.json');
  const read = <T>(path: string, use: (bytes: Buffer) => T): T => {
    try {
      return use(readFileSync(path));
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new CompilerError('bad-manifest', `Cannot read libOS "${path}": ${what}, expected a built libOS`, { cause });
    }
  };
  const manifests = readManifests(read(file, (bytes) => JSON.parse(bytes.toString('utf8')) as unknown), file);
  const none = new Uint8Array();
  const load = (name: string) => (options.archives === false ? none : read(join(directory, `${name}.a`), (bytes) => bytes));
  return manifests.map((manifest) => ({ manifest, archive: load(manifest.name) }));
}
