/** Which accelerator runs guests here: tried, not believed. */
export { type AcceleratorChoice, chooseAccelerator, type HostProbe, probeHost } from './choose.ts';
export { findHostIsa, findObstacle, type ProbeHost, type ProbeResult, probeAccelerator } from './probe.ts';
export { makeProbeImage, readProbeAnswer } from './probe-image.ts';
