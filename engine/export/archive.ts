/** An image's files as a tar archive. Rule: nothing but its layers' files; what hull adds at a machine's start is not among them. */
import { walkEntries, type WriteEntry, writeTar } from '../../images/layers/index.ts';
import { type ErofsReader, openErofs } from '../../images/index.ts';

function* listEntries({ files }: ErofsReader): Generator<WriteEntry> {
  for (const entry of walkEntries(files, files.root, '')) if (entry.path !== '') yield entry;
}

/** disk: the EROFS image of the files. Gives the archive to `write`, chunk by chunk. */
export async function archiveImage(disk: string, write: (bytes: AsyncIterable<Uint8Array>) => Promise<void>): Promise<void> {
  const files = openErofs(disk);
  try {
    await write(writeTar(listEntries(files)));
  } finally {
    files.close();
  }
}
