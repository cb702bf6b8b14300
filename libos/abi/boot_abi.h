/*
 * The boot ABI: everything that the host and the guest tell each other.
 *
 * Owns: the image note, the boot module (host -> guest, once, at start), and the channel records (both ways, while
 * the machine runs). Its twin on the host is boot/abi/; a test holds the two together. All integers little-endian.
 *
 * Entry on x86-64 is by PVH (Xen's docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h): 32-bit protected mode,
 * %ebx = physical address of hvm_start_info. The boot module is the first PVH module (QEMU: -initrd).
 *
 * Entry on AArch64 is by the Linux Image protocol (Linux, Documentation/arch/arm64/booting.rst): MMU off, EL1, x0 = physical address of the
 * device tree. The VMM gets the image's segments as they lie in the file, without ELF headers; the boot module is what the tree's /chosen
 * names as linux,initrd-start and -end (QEMU: -initrd).
 */
#ifndef HULL_ABI_BOOT_ABI_H
#define HULL_ABI_BOOT_ABI_H

#define HULL_ABI_VERSION 1

/* ---- Image note: ELF note, name "hull", in a PT_NOTE segment. Survives strip. ---- */
#define HULL_NOTE_IMAGE 1
/* desc: u32 abi_version, u32 features (HULL_FEATURE_*), u64 least_memory (bytes: image + what it needs to start). */
#define HULL_FEATURE_UART (1u << 0)     /* channel on the first serial port: 16550 at 0x3f8, or the PL011 that the device tree names */
#define HULL_FEATURE_VIRTIO_CONSOLE (1u << 1) /* channel on a virtio console; preferred when both are set */
#define HULL_FEATURE_INPUT (1u << 2)    /* the guest reads the channel (stdin) */
#define HULL_FEATURE_SIGNALS (1u << 3)  /* the guest acts on HULL_RECORD_SIGNAL; else the host ends it itself */
#define HULL_FEATURE_BINARY (1u << 4)   /* runs an unmodified Linux executable (else: linked) */
#define HULL_FEATURE_TRACE (1u << 5)    /* acts on HULL_MODULE_TRACE */
#define HULL_FEATURE_MOUNTS (1u << 7)   /* acts on HULL_MODULE_MOUNTS */
#define HULL_FEATURE_9P (1u << 8)       /* and has virtio-9p for HULL_MOUNT_9P */
#define HULL_FEATURE_NETWORK (1u << 6)  /* has a driver for a virtio network card */
#define HULL_FEATURE_BALLOON (1u << 9)  /* tells a virtio balloon of its free memory */
#define HULL_FEATURE_CONTROL (1u << 10) /* takes records on further ports of the console, too */
#define HULL_FEATURE_EXT4 (1u << 11)    /* has ext4 for HULL_MOUNT_EXT4 and HULL_MODULE_UPPER */
#define HULL_FEATURE_CALLS (1u << 12)   /* takes HULL_RECORD_CALL, and acts on HULL_FLAG_HOLD */
#define HULL_FEATURE_XEN_CONSOLE (1u << 13) /* channel on Xen's console, where the machine is a domain of Xen */

/* ---- Boot module. Header, then `count` records, each: u32 type, u32 size, size bytes, zero padding to 8. ---- */
#define HULL_MODULE_MAGIC 0x314d4c48u /* "HLM1" */
/* header: u32 magic, u16 version (HULL_ABI_VERSION), u16 count, u32 total_size (with the header), u32 flags */
#define HULL_FLAG_FRAMED (1u << 0)     /* write channel records; without it (booted by hand) plain text goes out */
#define HULL_FLAG_DEBUG_EXIT (1u << 1) /* isa-debug-exit at port 0xf4 ends the machine */
#define HULL_FLAG_STDIN (1u << 2)      /* stdin is connected; without it, reads give end of file */
#define HULL_FLAG_TTY (1u << 3)        /* fds 0..2 are one terminal */
#define HULL_FLAG_FIXED (1u << 4)      /* no randomised addresses: the image's slide is 0 (for debuggers) */
#define HULL_FLAG_READ_ONLY (1u << 5)  /* nothing is written to the root file system, only to what is mounted (images with the component `mounts`) */
#define HULL_FLAG_HOLD (1u << 6)       /* no program is started: the machine serves HULL_RECORD_CALL, and ends when its host has left */

#define HULL_MODULE_ARGV 1      /* strings, each ended by NUL; argv[0] first */
#define HULL_MODULE_ENV 2       /* strings NAME=VALUE, each ended by NUL */
#define HULL_MODULE_CWD 3       /* absolute path, no NUL needed */
#define HULL_MODULE_HOSTNAME 4
#define HULL_MODULE_ENTROPY 5   /* 32 bytes from the host's CSPRNG, fresh for each boot */
#define HULL_MODULE_REALTIME 6  /* u64: ns since 1970 when the launcher wrote the module */
#define HULL_MODULE_TSC_KHZ 7   /* u64: measured by the accelerator probe; absent when unknown */
#define HULL_MODULE_USER 8      /* u32 uid, u32 gid, then u32 supplementary gids */
#define HULL_MODULE_WINSIZE 9   /* u16 rows, u16 columns */
#define HULL_MODULE_ROOTFS 10   /* u64 offset of an EROFS image in the module file, page-aligned, u64 size */
#define HULL_MODULE_DISK 17     /* u64 offset of the module file on the disk that was booted, page-aligned: what of it is not in memory is there */
#define HULL_MODULE_POWER 18    /* u16 port, u16 value: written there, it switches the machine off (found by the boot loader of exported disks) */
#define HULL_MODULE_EXEC 11     /* path of the program to start in the root file system (binary images) */

#define HULL_MODULE_TRACE 12    /* u8 rules[][8], by system call number: [0] 1 when it is traced; [1 + i] what to send of argument i */
/* What to send: one of these, with HULL_TRACE_AFTER when it is there only after the call. At most HULL_TRACE_MOST bytes are sent. */
#define HULL_TRACE_AFTER 128
#define HULL_TRACE_WORDS 0     /* + n: n words of 8 bytes; 0: nothing */
#define HULL_TRACE_STRING 48   /* up to its NUL */
#define HULL_TRACE_RESULT 49   /* as many bytes as the call's result */
#define HULL_TRACE_LENGTH 50   /* + k: as many bytes as argument k says */
#define HULL_TRACE_ENTRIES 56  /* + k: as many words of 8 bytes as argument k says */
#define HULL_TRACE_VECTOR 64   /* + k: as many struct iovec as argument k says; then the bytes of each, as arguments 8, 9 … */
#define HULL_TRACE_MOST 256

#define HULL_MODULE_NETWORK 13 /* struct hull_network_interface[], in the order eth0, eth1 …; devices that no MAC here names come after them */
#define HULL_MODULE_FILES 14   /* files over the root file system: each u32 mode (permission bits), u32 size, absolute path ended by NUL, `size` bytes */
#define HULL_NETWORK_DHCP (1u << 0)     /* ask for an IPv4 address: none is known here */
#define HULL_NETWORK_AUTOCONF (1u << 1) /* take IPv6 addresses and routes from router advertisements */
#define HULL_MODULE_UPPER 16   /* the name of a virtio disk: its ext4 file system has the root's writable layer, in the directories upper and work */
#define HULL_MODULE_MOUNTS 15  /* mounts in their order: each struct hull_mount, source, target (both ended by NUL); the next at a multiple of 8 */
#define HULL_MOUNT_9P 1        /* source: the mount tag of a virtio-9p device; "tag/name": one file of it */
#define HULL_MOUNT_TMPFS 2     /* source: its options as mount(8) has them */
#define HULL_MOUNT_EXT4 3      /* source: the name (serial) of a virtio disk */
#define HULL_MOUNT_READ_ONLY (1u << 0)
#define HULL_MOUNT_OWN (1u << 1)  /* 9p: files of host user uid and group gid show as root's, since the server can make no others */
#define HULL_MOUNT_FILL (1u << 2) /* 9p, ext4: when it is empty, it gets what is at its target */
#ifndef __ASSEMBLER__
#include <stdint.h>
struct hull_mount {
    uint32_t kind, flags;
    uint32_t uid, gid;
};
struct hull_network_interface {
    uint8_t mac[6];
    uint16_t mtu;                     /* 0: what the device says, or 1500 */
    uint32_t flags;                   /* HULL_NETWORK_* */
    uint8_t ipv4_prefix, ipv6_prefix; /* bits of the network; 0: no such address */
    uint8_t reserved[2];
    uint8_t ipv4[4], ipv4_gateway[4]; /* network order; a gateway of zeros: none */
    uint8_t ipv6[16], ipv6_gateway[16];
};
#endif

/* ---- Program blob (binary images): the unmodified executable, embedded page-aligned by the linker. ---- */
/* Linker-made symbols: hull_program_start, hull_program_end (its bytes), hull_program_path (NUL-ended). */

/* ---- Channel records, both directions: a 16-byte header, then `length` bytes. ---- */
#define HULL_RECORD_MAGIC 0xb5
#define HULL_RECORD_MAX 65520 /* most payload bytes of one record */
#ifndef __ASSEMBLER__
struct hull_record {
    uint8_t magic;    /* HULL_RECORD_MAGIC */
    uint8_t type;     /* HULL_RECORD_* */
    uint16_t length;  /* payload bytes that follow */
    uint32_t reserved; /* 0 */
    uint64_t time;    /* ns since 1970; 0 where the image has no clock */
};
#endif
/* guest -> host */
#define HULL_RECORD_STDOUT 1
#define HULL_RECORD_STDERR 2
#define HULL_RECORD_LOG 3     /* a line of the libOS; "[<hex>]" is a link-time address that the host may name,
                                 "{<hex>}" an address of the embedded program's own file (its p_vaddr space), "<sys:N>" a system call's number */
#define HULL_RECORD_EXIT 4    /* u32: wait status as wait(2) has it: code << 8, or the signal number */
#define HULL_RECORD_CREDIT 5  /* u32: this many more bytes of stdin may be sent; none before the first */
#define HULL_RECORD_READY 6   /* u64 features: the guest now reads the channel */
#define HULL_RECORD_PANIC 7   /* text of an unrecoverable libOS fault; the machine ends after it */
#define HULL_RECORD_CLOCK 8   /* u64 measured TSC kHz (the probe guest's answer) */
/* Deferred text: what the host makes a line of, for images without the formatter. u64 each. Addresses are run-time ones: less the slide
 * they are link-time addresses, at which the host finds strings in the image file. */
#define HULL_DEFERRED_ARGUMENTS 5
#define HULL_RECORD_LOG_DEFERRED 9    /* slide, address of the format (lib/format.h), HULL_DEFERRED_ARGUMENTS arguments */
#define HULL_RECORD_PANIC_DEFERRED 10 /* the same of a panic; the machine ends after it */
#define HULL_RECORD_FAULT 11  /* slide, faulting address, signal | 0x100 when in the libOS (the machine ends then), the registers
                                 as they lie in struct trap_frame (x86-64: 22, r15 … rax, vector, error, rip, cs, rflags, rsp, ss; AArch64: 36,
                                 x0 … x30, sp, pc, pstate, ESR_EL1, FAR_EL1), then the words of its stack from its stack pointer up (from the next page where that one is not mapped), as many as are
                                 mapped, at most HULL_FAULT_STACK */
#define HULL_FAULT_STACK 128
/* A traced system call: u32 number, u32 thread, then pieces: u8 argument, u8 0, u16 size, bytes. */
#define HULL_RECORD_TRACE_ENTER 12 /* before the pieces: u64 arguments[6] */
#define HULL_RECORD_TRACE_LEAVE 13 /* before the pieces: u64 result */
/* On the port of the console that the host used (HULL_FEATURE_CONTROL): */
#define HULL_RECORD_DONE 14    /* u32 type: a signal or size that came there was taken; or the number of a HULL_RECORD_HELLO */
#define HULL_RECORD_STARTED 15 /* u32: 0 or errno: what HULL_RECORD_EXEC asked for; EBUSY: the port has a process already. Its STDOUT, STDERR, CREDIT and EXIT follow */
#define HULL_RECORD_RETURN 16  /* u32 id, u32 0, s64 result or -errno; then, when it is no error, as many bytes as the call had room for */
/* host -> guest */
#define HULL_RECORD_STDIN 32
#define HULL_RECORD_STDIN_EOF 33
#define HULL_RECORD_SIGNAL 34 /* u32 signal number, for the first process */
#define HULL_RECORD_RESIZE 35 /* u16 rows, u16 columns */
#define HULL_RECORD_ATTACH 36 /* on a further port: stdin comes here from now on; answered by the CREDIT that it has */
#define HULL_RECORD_EXEC 37   /* on a further port: a boot module with ARGV, ENV, CWD, USER, WINSIZE and EXEC of a further process; what else comes there is for it */
#define HULL_RECORD_CALL 38   /* on a further port: struct hull_call, then its data: a system call of the libOS's own, as root; answered by HULL_RECORD_RETURN */

#define HULL_RECORD_HELLO 39  /* on a further port: u32, a number of the host's choice above 0xffff: whoever had the port before has left it. Answered by HULL_RECORD_DONE with the number: what comes before
                                 was said to others, and is to be dropped */

/* A call on files. Numbers, of calls and of flags, are those of x86-64 on each ISA. A path is ended by NUL. */
struct hull_call {
    uint32_t id;           /* comes back */
    uint16_t number;       /* HULL_CALL_* */
    uint16_t out;          /* bytes of room for what it gives, at most 4064 */
    uint64_t arguments[6];
    uint8_t kinds[8];      /* HULL_CALL_IS_* of each argument */
};
#define HULL_CALL_IS_VALUE 0
#define HULL_CALL_IS_DATA 1 /* an offset in the data */
#define HULL_CALL_IS_OUT 2  /* the room */
#define HULL_CALL_IS_LAST 3 /* the result of the last HULL_CALL_OPENAT */
#define HULL_CALL_READ 0
#define HULL_CALL_WRITE 1
#define HULL_CALL_CLOSE 3
#define HULL_CALL_SYNC 162
#define HULL_CALL_LSETXATTR 189
#define HULL_CALL_LGETXATTR 192
#define HULL_CALL_LLISTXATTR 195
#define HULL_CALL_GETDENTS64 217
#define HULL_CALL_OPENAT 257
#define HULL_CALL_MKDIRAT 258
#define HULL_CALL_MKNODAT 259
#define HULL_CALL_FCHOWNAT 260
#define HULL_CALL_NEWFSTATAT 262
#define HULL_CALL_UNLINKAT 263
#define HULL_CALL_LINKAT 265
#define HULL_CALL_SYMLINKAT 266
#define HULL_CALL_READLINKAT 267
#define HULL_CALL_FCHMODAT 268
#define HULL_CALL_UTIMENSAT 280

/* What HULL_CALL_NEWFSTATAT gives: struct stat of x86-64, on each ISA. times: of access, change of data, change of attributes; seconds and nanoseconds of each. */
struct hull_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad;
    uint64_t rdev;
    int64_t size, blksize, blocks, times[6], unused[3];
};

#endif
