/** An image as Docker's API shows it (Docker Engine API, "ImageInspect", "ImageHistory"). */
import { type Image, parseReference, formatReference } from '../../images/store/index.ts';

export const sizeOfImage = ({ manifest }: Image): number => manifest.layers.reduce((sum, { size }) => sum + size, 0);

const familiar = (name: string) => formatReference(parseReference(name));

export function describeImage(image: Image): Record<string, unknown> {
  const { config, manifest, descriptor } = image;
  const own = config.config ?? {};
  return {
    Id: image.id,
    RepoTags: image.tags.map(familiar),
    RepoDigests: image.digests.map(familiar),
    Parent: '',
    Comment: config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? '0001-01-01T00:00:00Z',
    Author: config.author ?? '',
    Config: {
      User: own.User ?? '',
      ExposedPorts: own.ExposedPorts ?? undefined,
      Env: own.Env ?? null,
      Cmd: own.Cmd ?? null,
      Healthcheck: own.Healthcheck,
      Volumes: own.Volumes ?? null,
      WorkingDir: own.WorkingDir ?? '',
      Entrypoint: own.Entrypoint ?? null,
      OnBuild: own.OnBuild ?? null,
      Labels: own.Labels ?? null,
      StopSignal: own.StopSignal,
      Shell: own.Shell,
    },
    Architecture: config.architecture,
    Variant: config.variant,
    Os: config.os,
    Size: sizeOfImage(image),
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
    Descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
    Layers: manifest.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
}

export interface HistoryLine {
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  readonly size: number;
  readonly comment: string;
}

/** Newest first. */
export function describeHistory({ id, config, manifest }: Image): HistoryLine[] {
  let layer = 0;
  const lines = (config.history ?? []).map((entry) => ({
    id: '<missing>',
    created: entry.created ?? '',
    createdBy: entry.created_by ?? '',
    size: entry.empty_layer === true ? 0 : (manifest.layers[layer++]?.size ?? 0),
    comment: entry.comment ?? '',
  }));
  return lines.reverse().map((line, i) => (i === 0 ? { ...line, id } : line));
}
