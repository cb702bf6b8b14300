/** Labels in filters, for the command line and the API. */

/** Whether all of `wanted`, each NAME or NAME=VALUE, are there. */
export function matchLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const at = text.indexOf('=');
    return at < 0 ? labels[text] !== undefined : labels[text.slice(0, at)] === text.slice(at + 1);
  });
}
