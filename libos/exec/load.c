/*
 * From an ELF file to areas. First everything is checked, then everything is mapped: a refused file leaves the space untouched.
 * File pages are mapped as they are (private, copied on write), so read-only segments cost no memory.
 */
#include "exec/exec.h"
#include "exec/elf.h"
#include "abi/boot_abi.h"
#include "entropy/entropy.h"
#include "init/init.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "task/task.h"

#define PIE_BASE 0x555555554000ul
#define MAX_HEADERS 256

static uintptr_t page_down(uintptr_t n) { return n & ~(PAGE_SIZE - 1); }
static uintptr_t page_up(uintptr_t n) { return page_down(n + PAGE_SIZE - 1); }

static int read_file(struct file *file, uint64_t offset, void *to, size_t size) {
    for (size_t done = 0, piece; done < size; done += piece) {
        uint64_t page, within = (offset + done) & (PAGE_SIZE - 1);
        int error = file->ops->get_page(file, (offset + done) >> PAGE_SHIFT, FILE_PAGE_READ, &page);
        if (error) return error;
        piece = size - done < PAGE_SIZE - within ? size - done : PAGE_SIZE - within;
        __builtin_memcpy((char *)to + done, (char *)phys_to_virt(page) + within, piece);
        page_put(page);
    }
    return 0;
}

static bool inside(uint64_t offset, uint64_t size, uint64_t limit) {
    return offset <= limit && size <= limit - offset;
}

static const char *check_header(const struct elf_header *header, uint64_t file_size) {
    static const uint8_t magic[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    for (int i = 0; i < 4; i++)
        if (header->ident[i] != magic[i]) return "is not an ELF file";
    for (int i = 4; i < 7; i++)
        if (header->ident[i] != magic[i]) return "is not a 64-bit little-endian ELF file of version 1";
    if (header->machine != arch_elf_machine) return "is for another processor";
    if (header->type != ELF_EXEC && header->type != ELF_DYN) return "is not an executable";
    if (header->program_entry_size != sizeof(struct elf_program_header)) return "has program headers of a strange size";
    if (!header->program_count || header->program_count > MAX_HEADERS) return "has no program headers, or too many";
    if (!inside(header->program_offset, header->program_count * sizeof(struct elf_program_header), file_size))
        return "has program headers beyond its end";
    return NULL;
}

static const char *check_segments(const struct elf_program_header *headers, unsigned count, uint64_t file_size, bool fixed,
                                  uint64_t entry, uintptr_t *low, uintptr_t *high) {
    *low = *high = 0;
    bool first = true;
    for (const struct elf_program_header *h = headers; h < headers + count; h++) {
        if (h->type != PT_LOAD || !h->memory_size) continue;
        if (h->file_size > h->memory_size) return "has a segment with more bytes in the file than in memory";
        if (!inside(h->offset, h->file_size, file_size)) return "has a segment beyond its end";
        if ((h->vaddr ^ h->offset) & (PAGE_SIZE - 1)) return "has a segment whose address and offset disagree";
        if (!inside(h->vaddr, h->memory_size, VM_HIGHEST - (1ul << 36))) return "has a segment outside the program's half of memory";
        if (fixed && h->vaddr < VM_LOWEST) return "has a segment on the null page or right above it";
        if (!first && h->vaddr < *high) return "has segments that overlap or are not in order";
        if (first) *low = page_down(h->vaddr);
        *high = h->vaddr + h->memory_size;
        first = false;
    }
    if (first) return "has nothing to load";
    /* Any place of the program's, as in Linux: a library that is started dies at its address 0. */
    if (!inside(entry, 1, VM_HIGHEST - (1ul << 36))) return "has its entry outside the program's half of memory";
    return NULL;
}

/* The bytes between the end of the file's part and the end of its page are zero in memory. */
static int clear_tail(struct address_space *space, uintptr_t from) {
    uint64_t page;
    unsigned protection;
    if (vm_fault_in(space, from, MAP_WRITE) || !arch_lookup(space->root, page_down(from), &page, &protection)) return -ENOMEM;
    __builtin_memset((char *)phys_to_virt(page) + (from & (PAGE_SIZE - 1)), 0, PAGE_SIZE - (from & (PAGE_SIZE - 1)));
    return 0;
}

static int map_segment(struct address_space *space, struct file *file, const struct elf_program_header *h, uintptr_t base) {
    unsigned protection = (h->flags & PF_R ? PROT_READ : 0) | (h->flags & PF_W ? PROT_WRITE : 0) | (h->flags & PF_X ? PROT_EXEC : 0);
    uintptr_t start = page_down(base + h->vaddr), file_end = base + h->vaddr + h->file_size, end = page_up(base + h->vaddr + h->memory_size);
    uintptr_t bss = h->file_size ? page_up(file_end) : start;
    if (bss > start && vm_map(space, start, bss - start, protection, 0, file, page_down(h->offset))) return -ENOMEM;
    if (end > bss && vm_map(space, bss, end - bss, protection, 0, NULL, 0)) return -ENOMEM;
    if (h->memory_size > h->file_size && file_end < bss && h->flags & PF_W) return clear_tail(space, file_end);
    return 0;
}

static int load(struct address_space *space, struct file *file, uint64_t file_size, const struct elf_header *header,
                const struct elf_program_header *headers, bool interpreter, struct exec_image *out, const char **why) {
    uintptr_t low, high;
    unsigned count = header->program_count;
    bool fixed = header->type == ELF_EXEC;
    if ((*why = check_segments(headers, count, file_size, fixed, header->entry, &low, &high))) return -ENOEXEC;
    if (!fixed && !inside(page_up(high) - low, 0, 1ul << 40)) {
        *why = "is too large";
        return -ENOMEM;
    }
    uintptr_t place = 0;
    if (!fixed && interpreter) place = vm_room(space, page_up(high) - low);
    else if (!fixed) {
        if (!(boot_flags() & HULL_FLAG_FIXED)) place = vm_layout_random() >> 28; /* not the bits that mmap_top has */
        place = PIE_BASE + ((place & 0xfffffff) << PAGE_SHIFT);
    }
    *out = (struct exec_image){.base = fixed ? 0 : place - low, .header_count = count,
                                .user = current_process()->credentials.euid, .group = current_process()->credentials.egid};
    out->entry = out->base + header->entry;
    out->start = out->base + low;
    out->end = out->base + high;
    *why = "does not fit in memory";
    for (const struct elf_program_header *h = headers; h < headers + count; h++) {
        if (h->type == PT_INTERP && !out->interpreter[0]) {
            if (!h->file_size || h->file_size > sizeof out->interpreter || !inside(h->offset, h->file_size, file_size) ||
                read_file(file, h->offset, out->interpreter, h->file_size)) {
                *why = "has a broken interpreter name";
                return -ENOEXEC;
            }
            out->interpreter[h->file_size - 1] = 0;
        }
        if (h->type == PT_LOAD && header->program_offset >= h->offset && header->program_offset - h->offset < h->file_size && !out->headers)
            out->headers = out->base + h->vaddr + (header->program_offset - h->offset);
        if (h->type == PT_LOAD && h->flags & PF_X) {
            out->code = out->base + h->vaddr;
            out->code_end = out->code + h->file_size;
        } else if (h->type == PT_LOAD) {
            out->data = out->base + h->vaddr;
            out->data_end = out->data + h->file_size;
        }
        if (h->type == PT_LOAD && h->memory_size && map_segment(space, file, h, out->base)) return -ENOMEM;
    }
    *why = NULL;
    return 0;
}

static int load_file(struct address_space *space, struct file *file, uint64_t file_size, bool interpreter, struct exec_image *out,
                     const char **why) {
    struct elf_header header;
    if (!inside(0, sizeof header, file_size)) {
        *why = "is too short for an ELF file";
        return -ENOEXEC;
    }
    *why = "cannot be read";
    int error = read_file(file, 0, &header, sizeof header);
    if (error) return error;
    if ((*why = check_header(&header, file_size))) return -ENOEXEC;
    size_t size = header.program_count * sizeof(struct elf_program_header);
    struct elf_program_header *headers = kmalloc(size);
    if (!headers) return -ENOMEM;
    *why = "cannot be read";
    error = read_file(file, header.program_offset, headers, size);
    if (!error) error = load(space, file, file_size, &header, headers, interpreter, out, why);
    kfree(headers);
    return error;
}

int exec_load(struct address_space *space, struct file *file, uint64_t file_size, struct exec_image *out, const char **why) {
    return load_file(space, file, file_size, false, out, why);
}

int exec_load_interpreter(struct address_space *space, struct file *file, uint64_t file_size, struct exec_image *out, const char **why) {
    return load_file(space, file, file_size, true, out, why);
}

void exec_place_heap(struct address_space *space, const struct exec_image *image) {
    uint64_t random = 0;
    entropy_fill(&random, sizeof random);
    space->brk_start = space->brk_end = page_up(image->end) + ((random & 0x1fff) << PAGE_SHIFT);
}
