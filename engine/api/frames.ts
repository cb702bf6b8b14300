/** Frames of Docker's multiplexed streams (Docker Engine API, "ContainerAttach": stream format). Owns: the eight bytes before each piece. */
import type { OutputStream } from '../instances/index.ts';

const STREAMS: Record<OutputStream, number> = { stdout: 1, stderr: 2 };

export function encodeFrame(stream: OutputStream, bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(8 + bytes.length);
  frame[0] = STREAMS[stream];
  frame.writeUInt32BE(bytes.length, 4);
  frame.set(bytes, 8);
  return frame;
}

export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';
