/**
 * Names of users and groups -> numbers, by a root file system's own /etc/passwd and /etc/group (passwd(5), group(5)). Rules as Docker's: a user
 * alone by name brings its group along, by number has the group of the same number; names that look like numbers are numbers.
 */
export interface Accounts {
  /** Texts of the two files; empty where there are none. */
  readonly passwd: string;
  readonly group: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface ProcessUser extends Owner {
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly home: string;
}

export class UnknownUser extends Error {}

const MOST_ID = 0xfffffffe;

function readFields(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function readNumber(text: string): number | undefined {
  return /^\d+$/.test(text) && Number(text) <= MOST_ID ? Number(text) : undefined;
}

function findGroup(text: string, accounts: Accounts): number {
  const number = readNumber(text);
  if (number !== undefined) return number;
  const found = readFields(accounts.group).find(([name]) => name === text);
  if (found === undefined) throw new UnknownUser(`no group "${text}" in /etc/group there, expected one of its names or a number`);
  return Number(found[2]);
}

/** USER[:GROUP] of --chown. */
export function findOwner(text: string, accounts: Accounts): Owner {
  const [user = '', group] = text.split(':');
  const number = readNumber(user);
  const entry = readFields(accounts.passwd).find(([name]) => name === user);
  if (number === undefined && entry === undefined && user !== '') {
    throw new UnknownUser(`no user "${user}" in /etc/passwd there, expected one of its names or a number`);
  }
  const uid = number ?? Number(entry?.[2] ?? 0);
  const own = number ?? Number(entry?.[3] ?? 0);
  return { uid, gid: group === undefined || group === '' ? own : findGroup(group, accounts) };
}

/** USER of an image: what a process runs as (runc's rules, as Docker has them). */
export function findProcessUser(text: string, accounts: Accounts): ProcessUser {
  const [user = '', group] = (text === '' ? '0' : text).split(':');
  const number = readNumber(user);
  const entry = readFields(accounts.passwd).find(([name, , uid]) => (number === undefined ? name === user : Number(uid) === number));
  if (number === undefined && entry === undefined) {
    throw new UnknownUser(`no user "${user}" in /etc/passwd there, expected one of its names or a number`);
  }
  const uid = number ?? Number(entry?.[2]);
  const gid = group !== undefined && group !== '' ? findGroup(group, accounts) : Number(entry?.[3] ?? 0);
  const name = entry?.[0];
  const groups =
    group !== undefined && group !== '' ? [] : readFields(accounts.group).filter(([, , , members = '']) => name !== undefined && members.split(',').includes(name)).map(([, , id]) => Number(id));
  return { uid, gid, groups: [...new Set(groups)], home: entry?.[5] || '/' };
}
