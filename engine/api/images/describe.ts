/** Images in lists (Docker Engine API v1.47, ImageList). Owns: the form. */
import { formatReference, type Image, parseReference } from '../../../images/store/index.ts';

export const familiarName = (name: string): string => formatReference(parseReference(name));

export const sizeOfImage = ({ manifest }: Image): number => manifest.layers.reduce((sum, { size }) => sum + size, 0);

export function describeListedImage(image: Image): Record<string, unknown> & { readonly RepoTags: readonly string[] } {
  const { config } = image;
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: image.tags.map(familiarName),
    RepoDigests: image.digests.map(familiarName),
    Created: config.created === undefined ? 0 : Math.max(0, Math.floor(Date.parse(config.created) / 1000)),
    Size: sizeOfImage(image),
    SharedSize: -1,
    Labels: config.config?.Labels ?? null,
    Containers: -1,
  };
}
