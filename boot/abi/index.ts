/** The boot ABI's codec on the host; see libos/abi/boot_abi.h. */
export * from './constants.ts';
export { endsWithCall, formatDeferred, type ImageMemory, openImageMemory } from './deferred.ts';
export { encodeMounts, type GuestMount, MOUNT_SIZE } from './mounts.ts';
export { type BootModule, decodeBootModule, encodeBootModule } from './module.ts';
export { type Address, encodeFiles, encodeInterfaces, type GuestFile, INTERFACE, type NetworkInterface, parseIpv4, parseIpv6, parseMac } from './network.ts';
export { type ImageNote, isSupportedNote, readImageNote, readNoteFrom } from './note.ts';
export {
  createRecordDecoder,
  encodeHello,
  decodeWaitStatus,
  encodeRecord,
  encodeResize,
  encodeSignal,
  type RecordDecoder,
  type RecordSink,
} from './records.ts';
