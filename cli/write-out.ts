/** Text to stdout, complete before hull exits; a reader that has gone is no error. */
export function writeOut(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.on('error', () => resolve());
    process.stdout.write(text, () => resolve());
  });
}
