/** Mounts that the guest makes at its start: struct hull_mount of libos/abi/boot_abi.h. Owns: the encoder. */
import { MOUNT } from './constants.ts';

export type GuestMount =
  | {
      readonly kind: '9p';
      /** The device's mount tag. */
      readonly tag: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** The host user and group whose files are root's in the guest. */
      readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
      /** An empty one gets what is at its target. */
      readonly fill?: boolean | undefined;
    }
  | {
      readonly kind: 'ext4';
      /** The disk's name. */
      readonly disk: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** An empty one gets what is at its target. */
      readonly fill?: boolean | undefined;
    }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly readOnly: boolean; readonly options: string };

/** sizeof(struct hull_mount). */
export const MOUNT_SIZE = 16;

export function encodeMounts(mounts: readonly GuestMount[]): Buffer {
  const parts = mounts.map((mount) => {
    const head = Buffer.alloc(MOUNT_SIZE);
    let flags = mount.readOnly ? MOUNT.READ_ONLY : 0;
    if (mount.kind === '9p') {
      if (mount.owner !== undefined) flags |= MOUNT.OWN;
      if (mount.fill === true) flags |= MOUNT.FILL;
      head.writeUInt32LE(MOUNT['9P'], 0);
      head.writeUInt32LE(mount.owner?.uid ?? 0, 8);
      head.writeUInt32LE(mount.owner?.gid ?? 0, 12);
    } else if (mount.kind === 'ext4') {
      if (mount.fill === true) flags |= MOUNT.FILL;
      head.writeUInt32LE(MOUNT.EXT4, 0);
    } else {
      head.writeUInt32LE(MOUNT.TMPFS, 0);
    }
    head.writeUInt32LE(flags, 4);
    const source = mount.kind === '9p' ? mount.tag : mount.kind === 'ext4' ? mount.disk : mount.options;
    const names = Buffer.from(`${source}\0${mount.target}\0`, 'utf8');
    const padding = Buffer.alloc((8 - ((MOUNT_SIZE + names.length) & 7)) & 7);
    return Buffer.concat([head, names, padding]);
  });
  return Buffer.concat(parts);
}
