/*
 * The boot loader's C half: brings the kernel and the boot module into memory and says how a PVH loader would have started the kernel.
 *
 * Owns: reading the disk by INT 13h AH=42h, the memory map by INT 15h E820 (ACPI 6.4, chapter 15), loading an ELF64 file by its program headers, hvm_start_info (Xen's
 * docs/misc/pvh.pandoc), and what of the boot module (libos/abi/boot_abi.h) only this machine can tell: the time, fresh bits for the seed, and by
 * which port it is switched off (ACPI 6.4: 5.2.5 root pointer, 5.2.7 RSDT, 5.2.9 FADT, 4.8.3.2 PM1 control, 7.4.2 \_Sx).
 * Rules: 32-bit protected mode without paging, interrupts off, BIOS calls by bios_call() only; no memory but its own below 64 KiB, the buffer at 64 KiB and what it loads to;
 * what cannot be used ends in a line on screen and first serial port, and a halt. The root file system behind the module stays on the disk where the guest can read that
 * disk itself (virtio); else it is loaded with the module.
 */
#include <stdbool.h>
#include <stdint.h>
#include "../../libos/abi/boot_abi.h"

#define BUFFER 0x10000u
#define BUFFER_SIZE 0x8000u
#define PAGE 4096u
#define SERIAL 0x3f8
#define CARRY 1u
#define ACPI_ON 1u
#define MEMORY_MOST 128
#define HEADERS_MOST 64
#define CD_SECTOR 2048

struct registers { uint32_t eax, ebx, ecx, edx, esi, edi, flags; };
struct layout { char magic[8]; uint64_t kernel, kernel_size, module, module_size, whole_size; }; /* bytes from the disk's start; whole: with the root behind it */
struct packet { uint16_t size, count, offset, segment; uint64_t from; };
struct drive_parameters { uint16_t size, flags; uint32_t geometry[3]; uint64_t sectors; uint16_t sector_size; uint8_t rest[48]; };
struct elf_header { uint8_t ident[16]; uint16_t type, machine; uint32_t version; uint64_t entry, program_headers, section_headers; uint32_t flags; uint16_t size, program_header_size, program_header_count; };
struct program_header { uint32_t type, flags; uint64_t offset, virtual, physical, file_size, memory_size, align; };
struct note { uint32_t name_size, size, type; char name[4]; uint64_t entry; };
struct start_info { uint32_t magic, version, flags, module_count; uint64_t modules, command_line, rsdp, memory_map; uint32_t memory_map_count, reserved; };
struct start_module { uint64_t address, size, command_line, reserved; };
struct start_memory { uint64_t address, size; uint32_t type, reserved; };

struct __attribute__((packed)) table { char signature[4]; uint32_t length; uint8_t revision, checksum, names[26]; };
struct __attribute__((packed)) fadt {
    struct table head;
    uint32_t facs, dsdt;
    uint8_t model, profile;
    uint16_t interrupt;
    uint32_t command_port;
    uint8_t enable, disable, other[2];
    uint32_t event_a, event_b, control_a;
};

enum { LOAD = 1, NOTE = 4, NOTE_ENTRY = 18, RAM = 1 };

struct registers registers;
struct start_info start_info;
extern const struct layout layout;
extern uint8_t drive;
void bios_call(uint8_t vector);
uint32_t loader_main(void);

static struct start_module module;
static struct start_memory memory[MEMORY_MOST];
static struct packet packet;
static struct drive_parameters parameters;
static struct program_header headers[HEADERS_MOST];
static struct elf_header header;
static uint32_t sector_size;
static uint64_t jitter;
/* The BIOS data area; the compiler must not know that it is near address 0. */
static const char *volatile bios_data = (const char *)0x400;

static uint16_t in16(uint16_t port) { uint16_t value; __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port)); return value; }
static uint8_t in8(uint16_t port) { uint8_t value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port)); return value; }
static void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static uint32_t in32(uint16_t port) { uint32_t value; __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port)); return value; }
static void out32(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }

static void copy(void *to, const void *from, uint32_t size) { __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory"); }
static void clear(void *to, uint32_t size) { __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(0) : "memory"); }
static uint32_t align_up(uint32_t value) { return (value + PAGE - 1) & -PAGE; }

static _Noreturn void fail(const char *text) {
    for (const char *lines[] = {"hull: Cannot boot: ", text, "\r\n"}, **line = lines; line < lines + 3; line++)
        for (const char *at = *line; *at; at++) {
            for (unsigned tries = 100000; tries && !(in8(SERIAL + 5) & 0x20); tries--) {
            }
            out8(SERIAL, (uint8_t)*at);
            registers = (struct registers){.eax = 0x0e00u | (uint8_t)*at};
            bios_call(0x10);
        }
    for (;;) __asm__ volatile("cli; hlt");
}

/* When the disk answers is what no image knows before. */
static void add_jitter(void) {
    uint64_t cycles = __builtin_ia32_rdtsc();
    jitter = (jitter << 7 | jitter >> 57) ^ cycles;
}

static bool drive_call(uint16_t function, void *block) {
    registers = (struct registers){.eax = function, .edx = drive, .esi = (uint32_t)block};
    bios_call(0x13);
    add_jitter();
    return !(registers.flags & CARRY);
}

static void find_sector_size(void) {
    parameters.size = 30;
    sector_size = drive_call(0x4800, &parameters) ? parameters.sector_size : 512;
    if (sector_size != 512 && sector_size != CD_SECTOR) fail("the disk's sectors are not of 512 or 2048 bytes");
}

static void read_disk(uint64_t at, void *to, uint32_t size) {
    while (size) {
        uint32_t skip = (uint32_t)at & (sector_size - 1), wanted = size < BUFFER_SIZE - skip ? size : BUFFER_SIZE - skip;
        unsigned shift = sector_size == 512 ? 9 : 11;
        packet = (struct packet){sizeof packet, (uint16_t)((skip + wanted + sector_size - 1) >> shift), 0, BUFFER >> 4, at >> shift};
        if (!drive_call(0x4200, &packet)) fail("the disk cannot be read");
        copy(to, (const char *)BUFFER + skip, wanted);
        to = (char *)to + wanted;
        at += wanted;
        size -= wanted;
    }
}

static void find_memory(void) {
    uint32_t count = 0, next = 0;
    do {
        registers = (struct registers){.eax = 0xe820, .ebx = next, .ecx = 20, .edx = 0x534d4150, .edi = (uint32_t)&memory[count]};
        bios_call(0x15);
        if (registers.flags & CARRY || registers.eax != 0x534d4150) break;
        next = registers.ebx;
        if (memory[count].size) count++;
    } while (next && count < MEMORY_MOST);
    if (!count) fail("the BIOS has no memory map");
    start_info.memory_map = (uint32_t)memory;
    start_info.memory_map_count = count;
}

/* Whether the guest's driver will find a disk (VIRTIO 1.2, section 4.1.2): one with this loader on it, as we were started from a disk. */
static bool has_virtio_disk(void) {
    for (uint32_t function = 0; function < 1u << 16; function++) {
        out32(0xcf8, 1u << 31 | function << 8);
        uint32_t id = in32(0xcfc);
        if (id == 0x10011af4 || id == 0x10421af4) return true;
        if (!(function & 7)) {
            out32(0xcf8, 1u << 31 | function << 8 | 0x0c);
            if (id == 0xffffffff || !(in32(0xcfc) & 1u << 23)) function |= 7; /* one function only */
        }
    }
    return false;
}

/* Loads the kernel; its entry. *end: where its memory ends. */
static uint32_t load_kernel(uint32_t *end) {
    uint32_t entry = 0;
    read_disk(layout.kernel, &header, sizeof header);
    if (*(const uint32_t *)header.ident != 0x464c457f || header.program_header_size != sizeof *headers || header.program_header_count > HEADERS_MOST)
        fail("the disk has no kernel");
    uint32_t count = header.program_header_count;
    read_disk(layout.kernel + header.program_headers, headers, count * sizeof *headers);
    for (const struct program_header *h = headers; h < headers + count; h++) {
        if (h->type != LOAD) continue;
        uint32_t at = (uint32_t)h->physical;
        bool fits = false;
        for (uint32_t i = 0; i < start_info.memory_map_count; i++)
            fits |= memory[i].type == RAM && at >= memory[i].address && at + h->memory_size <= memory[i].address + memory[i].size;
        if (!fits || at < 1u << 20) fail("not enough memory for the kernel");
        read_disk(layout.kernel + h->offset, (void *)at, (uint32_t)h->file_size);
        clear((char *)at + h->file_size, (uint32_t)(h->memory_size - h->file_size));
        if (at + h->memory_size > *end) *end = at + (uint32_t)h->memory_size;
    }
    for (const struct program_header *h = headers; h < headers + count; h++) {
        if (h->type != NOTE) continue;
        for (const char *at = (const char *)(uint32_t)h->physical, *stop = at + h->file_size; at + 12 < stop;) {
            const struct note *note = (const void *)at;
            if (note->type == NOTE_ENTRY && note->name_size == 4 && *(const uint32_t *)note->name == 0x006e6558) entry = (uint32_t)note->entry;
            at += 12 + ((note->name_size + 3) & ~3u) + ((note->size + 3) & ~3u);
        }
    }
    if (!entry) fail("the kernel has no PVH entry");
    return entry;
}

/* At the top of the memory that ends highest below 4 GiB, as far from the kernel as can be. */
static void load_module(uint32_t kernel_end) {
    bool is_whole = layout.whole_size <= layout.module_size || sector_size == CD_SECTOR || !has_virtio_disk();
    uint64_t size = is_whole && layout.whole_size > layout.module_size ? layout.whole_size : layout.module_size;
    uint64_t top = 0;
    for (uint32_t i = 0; i < start_info.memory_map_count; i++) {
        uint64_t start = memory[i].address, stop = start + memory[i].size;
        if (stop > 0xfffff000u) stop = 0xfffff000u;
        if (memory[i].type != RAM || stop <= top || stop - start < size) continue;
        uint64_t lowest = kernel_end > start && kernel_end < stop ? align_up(kernel_end) : start;
        if (((stop - size) & -(uint64_t)PAGE) >= lowest) top = stop;
    }
    if (!top) fail("not enough memory for the boot module and the root file system");
    module.address = (top - size) & -(uint64_t)PAGE;
    module.size = size;
    read_disk(layout.module, (void *)(uint32_t)module.address, (uint32_t)size);
    start_info.modules = (uint32_t)&module;
    start_info.module_count = 1;
}

static uint32_t from_bcd(uint32_t value) { return (value >> 4 & 15) * 10 + (value & 15); }

/* ns since 1970 by the clock of the machine, which is taken to have UTC; 0: it has none. Days as in the proleptic Gregorian calendar. */
static uint64_t read_time(void) {
    registers = (struct registers){.eax = 0x0400};
    bios_call(0x1a);
    if (registers.flags & CARRY) return 0;
    uint32_t year = from_bcd(registers.ecx >> 8) * 100 + from_bcd(registers.ecx), month = from_bcd(registers.edx >> 8), day = from_bcd(registers.edx);
    registers = (struct registers){.eax = 0x0200};
    bios_call(0x1a);
    if (registers.flags & CARRY || year < 1970 || month < 1 || month > 12) return 0;
    uint32_t seconds = (from_bcd(registers.ecx >> 8) * 60 + from_bcd(registers.ecx)) * 60 + from_bcd(registers.edx >> 8);
    year -= month < 3;
    month = month < 3 ? month + 9 : month - 3; /* from March on: the day that comes and goes is the last */
    uint32_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719469;
    return ((uint64_t)days * 86400 + seconds) * 1000000000u;
}

static bool is_same(const void *a, const char *b, uint32_t size) {
    const char *at = a;
    while (size && *at++ == *b++) size--;
    return !size;
}

static const uint8_t *find_acpi(uint32_t from, uint32_t stop) {
    for (const uint8_t *at = (const uint8_t *)from; at < (const uint8_t *)stop; at += 16) {
        uint8_t sum = 0;
        for (unsigned i = 0; i < 20; i++) sum = (uint8_t)(sum + at[i]);
        if (!sum && is_same(at, "RSD PTR ", 8)) return at;
    }
    return 0;
}

/* \_S5 is a package of integers. Its code is not run: the name and constants (20.2.3, 20.2.4: a package's length, count, zero, one or a byte) are looked for. */
static bool find_sleep_type(const struct table *dsdt, uint16_t *type) {
    const uint8_t *at = (const uint8_t *)(dsdt + 1), *stop = (const uint8_t *)dsdt + dsdt->length - 12;
    while (at < stop && !is_same(at, "_S5_\x12", 5)) at++;
    if (at >= stop) return false;
    at += 5;
    at += 1 + (*at >> 6) + 1;
    if (*at == 0x0a) at++;
    *type = *at & 7;
    return true;
}

/* A port and the value that switches the machine off; nothing where the BIOS has no tables of ACPI, or such as need more. */
static void find_power(uint16_t power[2]) {
    uint32_t extended = (uint32_t) * (volatile const uint16_t *)(bios_data + 0x0e) << 4;
    const uint8_t *pointer = find_acpi(extended, extended + 1024);
    if (!pointer) pointer = find_acpi(0xe0000, 0x100000);
    if (!pointer) return;
    const struct table *root = *(const struct table *const *)(pointer + 16);
    const struct fadt *fadt = 0;
    for (const struct fadt *const *entry = (const void *)(root + 1); (const char *)(entry + 1) <= (const char *)root + root->length; entry++)
        if (is_same((*entry)->head.signature, "FACP", 4)) fadt = *entry;
    uint16_t type;
    if (!fadt || !fadt->control_a || !fadt->dsdt || !find_sleep_type((const void *)fadt->dsdt, &type)) return;
    uint16_t port = (uint16_t)fadt->control_a;
    if (fadt->command_port && !(in16(port) & ACPI_ON)) out8((uint16_t)fadt->command_port, fadt->enable);
    power[0] = port;
    power[1] = (uint16_t)(type << 10 | 1 << 13);
}

/* The module's records that are different at each boot. */
static void fill_module(void) {
    char *at = (char *)(uint32_t)module.address + 16;
    uint32_t count = *(const uint16_t *)(at - 10);
    uint64_t time = read_time();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t type = *(const uint32_t *)at, size = *(const uint32_t *)(at + 4);
        uint64_t *value = (uint64_t *)(at + 8);
        if (type == HULL_MODULE_REALTIME && size == sizeof time) *value = time;
        if (type == HULL_MODULE_POWER) find_power((uint16_t *)value);
        if (type == HULL_MODULE_ENTROPY)
            for (uint32_t word = 0; word < size / 8; word++) {
                add_jitter();
                value[word] ^= jitter + time;
            }
        at += 8 + ((size + 7) & ~7u);
    }
}

uint32_t loader_main(void) {
    uint32_t kernel_end = 0;
    find_sector_size();
    find_memory();
    uint32_t entry = load_kernel(&kernel_end);
    load_module(kernel_end);
    fill_module();
    start_info.magic = 0x336ec578;
    start_info.version = 1;
    return entry;
}
