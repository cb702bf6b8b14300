/**
 * An instance -> an image: what it changed as one more layer, what it was asked for as the config (moby's daemon/commit). Owns: both. Rules: a machine that runs holds still meanwhile unless it is told not
 * to; the kernel of the image before is left out, since another program may be what runs now: it is linked again on first use.
 */
import { applyChanges } from '../../images/build/index.ts';
import { walkEntries, writeLayer } from '../../images/layers/index.ts';
import { type ContainerConfig, HOST_PLATFORM, type Image, type ImageConfig, parseReference, withDefaultTag, withoutKernelLabels } from '../../images/store/index.ts';
import { findStatePaths } from '../state/index.ts';
import { makeLayerEntries } from './changes.ts';
import { withInstanceFiles } from './files.ts';
import { recordInstanceEvent } from './observe.ts';
import type { InstanceConfig } from './types.ts';

export interface CommitRequest {
  /** Without one the image has only its ID. */
  readonly reference?: string | undefined;
  readonly author?: string | undefined;
  readonly message?: string | undefined;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** Default true. */
  readonly pause?: boolean | undefined;
}

/** Entrypoint and Cmd as they were in force. */
function splitCommand({ request }: InstanceConfig, base: ContainerConfig): Pick<ContainerConfig, 'Entrypoint' | 'Cmd'> {
  const argv = [request.program, ...request.args];
  const entrypoint = base.Entrypoint ?? [];
  const isKept = entrypoint.length > 0 && entrypoint.every((word, i) => word === argv[i]);
  return isKept ? { Entrypoint: entrypoint, Cmd: argv.slice(entrypoint.length) } : { Entrypoint: null, Cmd: argv };
}

function makeConfig(config: InstanceConfig, base: ContainerConfig): ContainerConfig {
  const { request, health } = config;
  // An image's run begins with HOME, which is its user's and not asked for.
  const env = new Map((request.image !== undefined ? request.env.slice(1) : request.env).map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
  const user = request.userName ?? base.User;
  return {
    ...base,
    ...splitCommand(config, base),
    Env: [...env].map(([name, value]) => `${name}=${value}`),
    Labels: config.labels,
    ExposedPorts: Object.fromEntries((config.exposed ?? []).map((port) => [port, {}])),
    ...(request.workdir === undefined || (request.workdir === '/' && base.WorkingDir === undefined) ? {} : { WorkingDir: request.workdir }),
    ...(user === undefined ? {} : { User: user }),
    ...(health === undefined
      ? {}
      : {
          Healthcheck: Object.fromEntries(
            Object.entries({ Test: health.test, Interval: health.interval, Timeout: health.timeout, StartPeriod: health.startPeriod, Retries: health.retries }).filter(([, value]) => value !== undefined),
          ),
        }),
  };
}

/** The image's ID. */
export async function commitInstance(text: string, env: NodeJS.ProcessEnv, request: CommitRequest): Promise<string> {
  const name = request.reference === undefined ? undefined : withDefaultTag(parseReference(request.reference));
  const paths = findStatePaths(env);
  const { openImages, pickRootLayers, resolveImage } = await import('../oci/index.ts');
  const store = openImages(paths);
  return await withInstanceFiles(
    text,
    env,
    async (files) => {
      const { instance } = files;
      const { config } = instance;
      const parent: Image | undefined = config.request.image === undefined ? undefined : resolveImage(store, config.request.image.id);
      const labels = withoutKernelLabels(config.labels);
      const changed = applyChanges(makeConfig({ ...config, labels }, parent?.config.config ?? {}), request.changes);
      const below = parent === undefined ? { layers: [], diffIds: [], history: [] } : pickRootLayers(parent);
      const created = new Date().toISOString();
      const command = [config.request.program, ...config.request.args].join(' ');
      const target = await store.withLease(async (lease) => {
        await lease.keep(below.layers.map(({ digest }) => digest));
        const entries = parent === undefined ? walkEntries(files.root, files.root.root, '') : makeLayerEntries(files);
        const layer = await writeLayer((bytes) => store.putBlob(lease, bytes), entries);
        const { author = parent?.config.author, message } = request;
        const written: ImageConfig = {
          created,
          ...(author === undefined ? {} : { author }),
          architecture: parent?.config.architecture ?? HOST_PLATFORM.architecture,
          os: parent?.config.os ?? HOST_PLATFORM.os,
          config: changed,
          rootfs: { type: 'layers', diff_ids: [...below.diffIds, layer.diffId] },
          history: [...below.history, { created, created_by: command, ...(author === undefined ? {} : { author }), ...(message === undefined ? {} : { comment: message }) }],
        };
        const manifest = await store.putImage(lease, { config: written, layers: [...below.layers, layer.descriptor] });
        await store.tag(manifest, name === undefined ? [] : [name]);
        return manifest;
      });
      const { config: stored } = JSON.parse(store.readBlob(target.digest).toString('utf8')) as { config: { digest: string } };
      recordInstanceEvent(paths, instance, 'commit', { comment: request.message ?? '', imageID: stored.digest, imageRef: name?.canonical ?? '' });
      return stored.digest;
    },
    { pause: request.pause !== false },
  );
}
