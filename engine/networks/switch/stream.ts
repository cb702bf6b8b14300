/** QEMU's `-netdev stream`: each frame behind its length, 32 bits in network order (QEMU's manual, "-netdev stream"). Owns: both directions of one connection. */
import type { Socket } from 'node:net';

/** Larger than any frame of a card with 64 KiB segments. */
const FRAME_MOST = 66_000;
/** What waits for a machine that does not read; frames beyond it are lost, as in any switch. */
const QUEUE_MOST = 4 << 20;

/** Calls `receive` for each frame; a length that cannot be ends the connection. */
export function readFrames(socket: Socket, receive: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 4) {
      const length = rest.readUInt32BE(at);
      if (length === 0 || length > FRAME_MOST) return void socket.destroy();
      if (rest.length - at - 4 < length) break;
      receive(rest.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    rest = rest.subarray(at);
  });
}

export function createFrameWriter(socket: Socket): (frame: Buffer) => void {
  return (frame) => {
    if (socket.destroyed || socket.writableLength > QUEUE_MOST) return;
    const head = Buffer.alloc(4);
    head.writeUInt32BE(frame.length);
    socket.cork();
    socket.write(head);
    socket.write(frame);
    process.nextTick(() => socket.uncork());
  };
}
