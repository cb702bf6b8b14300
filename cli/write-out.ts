/** Text to stdout, complete before hull exits; a reader that has gone is no error. */
export function writeOut(text: string): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      process.stdout.off('error', done);
      resolve();
    };
    process.stdout.on('error', done);
    process.stdout.write(text, done);
  });
}

/** Bytes to a stream, in order; resolves when they are taken. A reader that has gone ends this process as SIGPIPE would. */
export function writeTo(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (stream.listenerCount('error') === 0) stream.on('error', () => process.exit(141));
    stream.write(bytes, () => resolve());
  });
}
