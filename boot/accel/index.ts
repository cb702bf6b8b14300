/** Which accelerator runs guests here: tried, not believed. */
export { type AcceleratorChoice, chooseAccelerator, type HostProbe, probeHost } from './choose.ts';
export type { ProbeHost, ProbeResult } from './probe.ts';
export { makeProbeImage, readProbeAnswer } from './probe-image.ts';
