// The components' manifests, as the compiler reads and checks them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Component, readManifests } from '../../compiler/select/index.ts';
import { findComponentFolders } from '../build/components.ts';

export interface DocumentedComponent extends Component {
  folder: string;
}

export function readComponents(isa: string): DocumentedComponent[] {
  const folders = findComponentFolders(isa);
  const values = folders.map((folder) => JSON.parse(readFileSync(join(folder, 'component.json'), 'utf8')) as unknown);
  return readManifests(values, 'libos')
    .map((component, i) => ({ ...component, folder: folders[i] as string }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
