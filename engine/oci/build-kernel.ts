/** `hull build`: the kernel of what was built, as hull.yaml or the label hull.kernel wants it. Owns: the values of that label: "layer", in a layer of its own; "linked", the program is one that hull cc linked. */
import { readFileSync } from 'node:fs';
import type { Descriptor, Image, Lease, Store } from '../../images/store/index.ts';
import { EngineError } from '../errors.ts';
import { findRootKernel } from '../images/index.ts';
import { findKernelCache, identifyRootProgram, loadLinker, makeEnvironment, readComponentLabels, type RunHost } from '../prepare.ts';
import { findStatePaths } from '../state/index.ts';
import { makeImageVolumes } from '../volumes/index.ts';
import { openRunOf } from './image-run.ts';
import { addKernelLayer, KERNEL_ADD } from './kernel-layer.ts';
import { openImageProgram } from './program.ts';

const KERNEL_MODES: readonly string[] = ['layer', 'linked'];
const MODE_LABEL = 'hull.kernel';

/** The manifest of the image as it is to be named: with its kernel, where it shall have one. */
export async function buildKernel(store: Store, lease: Lease, image: Image, name: string, host: RunHost): Promise<Descriptor> {
  const labels = image.config.config?.Labels ?? {};
  const mode = labels[MODE_LABEL];
  if (mode === undefined) return image.descriptor;
  const refuse = (what: string, expected: string) => new EngineError('option-invalid', `Cannot build the kernel of "${name}": ${what}, expected ${expected}`);
  if (!KERNEL_MODES.includes(mode)) throw refuse(`${MODE_LABEL} is "${mode}"`, KERNEL_MODES.join(' or '));
  const paths = findStatePaths(host.env);
  const run = await openRunOf(image, { image: name, args: [] }, paths, host.env);
  const mounted = makeImageVolumes(run.volumes, []).map(({ target }) => target); // each run has volumes of its own there
  const environment = makeEnvironment(run.env, '', false, host.env);
  const opened = openImageProgram({
    disk: run.disk,
    name,
    program: run.argv[0] as string,
    environment,
    workdir: run.workdir,
    mounted,
    image: { id: image.id, labels: {}, platform: run.platform },
    paths,
  });
  const add = [...KERNEL_ADD, ...(mounted.length > 0 ? ['9p'] : []), ...readComponentLabels(labels)];
  const { program } = opened;
  const isLinked = (await opened.findReady(add)) !== undefined;
  if (isLinked !== (mode === 'linked')) throw refuse(`"${program}" is ${isLinked ? '' : 'not '}linked with the libOS`, isLinked ? `${MODE_LABEL} to be linked` : 'a program that hull cc linked');
  if (isLinked) return image.descriptor;
  const path = await findRootKernel(findKernelCache(paths, host), { ...opened, identity: identifyRootProgram(run.disk, program, environment, mounted) }, add, () => loadLinker(host));
  return addKernelLayer(store, lease, image, readFileSync(path), { disk: run.disk, program, mounted, add });
}

