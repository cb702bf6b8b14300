/** What the image of an instance has besides what its program needs. */
import { hasHealthCheck } from './health.ts';
import type { Instance } from './types.ts';

export function instanceComponents({ config }: Pick<Instance, 'config'>): string[] {
  const { rootfs, image } = config.request;
  return ['control', ...(config.exec === true || hasHealthCheck(config) ? ['exec-session', 'proc-process'] : []), ...(rootfs === undefined && image === undefined ? [] : ['host-calls'])];
}
