/** `hull run --trace`. Loaded only when a run is traced. */
export { createTracer, type Tracer } from './tracer.ts';
