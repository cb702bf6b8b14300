/**
 * Who a program runs as: "name", "uid", "name:group", "uid:gid" by the image's own /etc/passwd and /etc/group (passwd(5), group(5)). Owns: Docker's rules for what is not there: a number need
 * not be known, a name must. Rule: damaged lines are passed over, as libc does.
 */
import { EngineError } from '../errors.ts';

export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary. */
  readonly groups: readonly number[];
  readonly home: string;
}

interface UserFiles {
  /** A file's text; undefined: there is none. */
  read(path: string): string | undefined;
}

const MOST_ID = 0xffff_fffe;
const isNumber = (text: string) => /^\d+$/.test(text);

const linesOf = (text: string | undefined): string[][] => (text ?? '').split('\n').map((line) => line.split(':'));

function checkId(text: string, what: string): number {
  const id = Number(text);
  if (id > MOST_ID) throw new EngineError('option-invalid', `${what} ${text} is out of range: Cannot run as it, expected at most ${MOST_ID}`);
  return id;
}

export function findImageUser(text: string, files: UserFiles): ImageUser {
  const [user = '', group] = text.split(':', 2) as [string, string | undefined];
  const users = linesOf(files.read('/etc/passwd')).filter((fields) => fields.length >= 7 && isNumber(fields[2] as string) && isNumber(fields[3] as string));
  const groups = linesOf(files.read('/etc/group')).filter((fields) => fields.length >= 4 && isNumber(fields[2] as string));
  const wanted = user === '' ? '0' : user;
  // A name of digits is a name first, as in Docker.
  const known = users.find(([name]) => name === wanted) ?? (isNumber(wanted) ? users.find(([, , uid]) => Number(uid) === Number(wanted)) : undefined);
  if (known === undefined && !isNumber(wanted)) throw new EngineError('option-invalid', `unable to find user ${wanted}: no matching entries in passwd file`);
  const uid = known === undefined ? checkId(wanted, 'user') : checkId(known[2] as string, 'user');
  const home = known?.[5] === undefined || known[5] === '' ? '/' : known[5];
  if (group !== undefined && group !== '') {
    const found = groups.find(([name]) => name === group);
    if (found === undefined && !isNumber(group)) throw new EngineError('option-invalid', `unable to find group ${group}: no matching entries in group file`);
    return { uid, gid: checkId(found?.[2] ?? group, 'group'), groups: [], home };
  }
  const gid = known === undefined ? 0 : checkId(known[3] as string, 'group');
  const also = known === undefined ? [] : groups.filter((fields) => (fields[3] as string).split(',').includes(known[0] as string)).map((fields) => Number(fields[2]));
  return { uid, gid, groups: [...new Set(also)].filter((id) => id !== gid), home };
}
