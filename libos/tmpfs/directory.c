/*
 * Directories of tmpfs: entries in a hash table that doubles, and in a list by cookie for readers. An entry holds its inode;
 * nlink counts names as on Linux (a directory's ".." counts for its parent).
 */
#include "tmpfs/internal.h"

static struct directory *of(struct inode *inode) {
    return inode->data;
}

static bool is_directory(const struct inode *inode) {
    return (inode->mode & S_IFMT) == S_IFDIR;
}

static uint32_t hash_of(const char *name, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static struct entry *find(struct directory *directory, const char *name, size_t length) {
    uint32_t hash = hash_of(name, length);
    for (struct entry *at = directory->buckets[hash & (directory->bucket_count - 1)]; at; at = at->hash_next)
        if (at->hash == hash && at->length == length && !memcmp(at->name, name, length)) return at;
    return NULL;
}

/* As Linux has it: what `ls -l` shows of a directory grows with its entries. */
static void resize(struct inode *inode) { inode->size = 40 + 20 * (int64_t)of(inode)->count; }

/* A table that cannot grow still works, only slower. */
static void grow(struct directory *directory) {
    uint32_t count = directory->bucket_count * 4;
    struct entry **buckets = kzalloc(count * sizeof *buckets);
    if (!buckets) return;
    for (struct entry *at = directory->first; at; at = at->next) {
        struct entry **bucket = &buckets[at->hash & (count - 1)];
        at->hash_next = *bucket;
        *bucket = at;
    }
    if (directory->buckets != directory->first_buckets) kfree(directory->buckets);
    directory->buckets = buckets;
    directory->bucket_count = count;
}

/* Takes the inode's reference on success. */
static int add(struct directory *directory, const char *name, size_t length, struct inode *inode) {
    struct entry *entry = kmalloc(sizeof *entry + length);
    if (!entry) return -ENOSPC;
    if (directory->count >= directory->bucket_count * 2) grow(directory);
    memcpy(entry->name, name, length);
    entry->length = (uint16_t)length;
    entry->hash = hash_of(name, length);
    entry->inode = inode;
    entry->cookie = ++directory->cookie;
    struct entry **bucket = &directory->buckets[entry->hash & (directory->bucket_count - 1)];
    entry->hash_next = *bucket;
    *bucket = entry;
    entry->next = NULL;
    entry->previous = directory->last;
    *(directory->last ? &directory->last->next : &directory->first) = entry;
    directory->last = entry;
    directory->count++;
    return 0;
}

static void take_out(struct directory *directory, struct entry *entry) {
    struct entry **at = &directory->buckets[entry->hash & (directory->bucket_count - 1)];
    while (*at != entry) at = &(*at)->hash_next;
    *at = entry->hash_next;
    *(entry->previous ? &entry->previous->next : &directory->first) = entry->next;
    *(entry->next ? &entry->next->previous : &directory->last) = entry->previous;
    if (directory->told == entry) directory->told = NULL;
    directory->count--;
    kfree(entry);
}

static int directory_lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    struct entry *entry = find(of(directory), name, length);
    if (!entry) return -ENOENT;
    inode_get(*out = entry->inode);
    return 0;
}

static struct inode *make_directory(struct superblock *super, uint32_t mode, struct inode *parent) {
    struct directory *directory = kzalloc(sizeof *directory);
    struct inode *inode = directory ? inode_create(&tmpfs_directory_ops, super, mode) : NULL;
    if (!inode) {
        kfree(directory);
        return NULL;
    }
    directory->buckets = directory->first_buckets;
    directory->bucket_count = sizeof directory->first_buckets / sizeof *directory->first_buckets;
    directory->cookie = 2; /* 1 and 2 are "." and ".." */
    directory->parent = parent ? parent : inode;
    inode->data = directory;
    inode->nlink = 2;
    resize(inode);
    return inode;
}

static void plain_release(struct inode *inode) {
    tmpfs_inode_gone(inode->super);
    kfree(inode->data);
    kfree(inode);
}

static long link_text(struct inode *inode, char *out, size_t room) {
    size_t length = (size_t)inode->size;
    memcpy(out, inode->data, length < room ? length : room);
    return (long)(length < room ? length : room);
}

static uint64_t no_blocks(struct inode *inode) {
    (void)inode;
    return 0;
}

/* As on Linux, whose tmpfs keeps a text of up to 127 bytes in the inode and a longer one in a page. */
static uint64_t link_blocks(struct inode *inode) { return inode->size < 128 ? 0 : PAGE_SIZE / 512; }

static const struct inode_ops symlink_ops = { .readlink = link_text, .blocks = link_blocks, .attribute_holder = tmpfs_attribute_holder, .release = plain_release };
static const struct inode_ops node_ops = { .attribute_holder = tmpfs_attribute_holder, .release = plain_release }; /* FIFOs, sockets, devices: names only */

/* Puts a new inode under its name; a failure gives it up. */
static int enter(struct inode *directory, const char *name, size_t length, struct inode *inode, struct inode **out) {
    if (!inode) return -ENOSPC;
    int error = add(of(directory), name, length, inode);
    if (error) {
        inode_put(inode);
        return error;
    }
    if (directory->mode & S_ISGID) {
        inode->gid = directory->gid;
        if (is_directory(inode)) inode->mode |= S_ISGID;
    }
    if (is_directory(inode)) directory->nlink++;
    resize(directory);
    inode_get(*out = inode);
    return 0;
}

static int directory_create(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev, struct inode **out) {
    struct inode *inode;
    if (!tmpfs_inode_allowed(directory->super)) return -ENOSPC;
    switch (mode & S_IFMT) {
    case S_IFDIR: inode = make_directory(directory->super, mode, directory); break;
    case S_IFREG: inode = tmpfs_file_create(directory->super, mode); break;
    default: inode = inode_create(&node_ops, directory->super, mode); break;
    }
    if (inode) inode->rdev = rdev;
    return enter(directory, name, length, inode, out);
}

/* Like a new file, but for the name. */
static int temporary(struct inode *directory, uint32_t mode, struct inode **out) {
    if (!tmpfs_inode_allowed(directory->super)) return -ENOSPC;
    struct inode *inode = *out = tmpfs_file_create(directory->super, mode);
    if (!inode) {
        tmpfs_inode_gone(directory->super);
        return -ENOSPC;
    }
    inode->nlink = 0;
    if (directory->mode & S_ISGID) inode->gid = directory->gid;
    return 0;
}

static int directory_symlink(struct inode *directory, const char *name, size_t length, const char *target, struct inode **out) {
    size_t size = strlen(target);
    if (!tmpfs_inode_allowed(directory->super)) return -ENOSPC;
    char *text = kmalloc(size + 1);
    struct inode *inode = text ? inode_create(&symlink_ops, directory->super, S_IFLNK | 0777) : NULL;
    if (!inode) {
        kfree(text);
        return -ENOSPC;
    }
    memcpy(text, target, size + 1);
    inode->data = text;
    inode->size = (int64_t)size;
    return enter(directory, name, length, inode, out);
}

static int directory_link(struct inode *directory, const char *name, size_t length, struct inode *target) {
    int error = add(of(directory), name, length, target);
    if (error) return error;
    inode_get(target);
    target->nlink++;
    resize(directory);
    return 0;
}

/* The name is gone: counts and the entry's reference. */
static void forget(struct inode *directory, struct inode *victim) {
    victim->nlink--;
    if (is_directory(victim)) {
        victim->nlink--;
        directory->nlink--;
    }
    inode_put(victim);
}

static int directory_unlink(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    struct entry *entry = find(of(directory), name, length);
    if (!entry || entry->inode != victim) return -ENOENT;
    if (victim->ops == &tmpfs_directory_ops && of(victim)->count) return -ENOTEMPTY;
    take_out(of(directory), entry);
    resize(directory);
    forget(directory, victim);
    return 0;
}

static int directory_rename(struct inode *from, const char *name, size_t length, struct inode *moved, struct inode *to,
                            const char *new_name, size_t new_length, struct inode *replaced, bool exchange) {
    struct entry *entry = find(of(from), name, length), *there = find(of(to), new_name, new_length);
    if (!entry || entry->inode != moved || (there ? there->inode : NULL) != replaced) return -ENOENT;
    bool moved_directory = moved->ops == &tmpfs_directory_ops;
    if (exchange) {
        bool other_directory = replaced->ops == &tmpfs_directory_ops;
        entry->inode = replaced;
        there->inode = moved;
        if (moved_directory) of(moved)->parent = to;
        if (other_directory) of(replaced)->parent = from;
        from->nlink += (uint32_t)other_directory - (uint32_t)moved_directory;
        to->nlink += (uint32_t)moved_directory - (uint32_t)other_directory;
        return 0;
    }
    if (replaced && replaced->ops == &tmpfs_directory_ops && of(replaced)->count) return -ENOTEMPTY;
    if (there) {
        there->inode = moved;
        forget(to, replaced);
    } else {
        int error = add(of(to), new_name, new_length, moved);
        if (error) return error;
    }
    take_out(of(from), entry);
    resize(from);
    resize(to);
    if (moved_directory) {
        of(moved)->parent = to;
        from->nlink--;
        to->nlink++;
    }
    return 0;
}

static int directory_iterate(struct inode *inode, int64_t position, struct dirent_sink *sink) {
    struct directory *directory = of(inode);
    if (position < 1 && !sink->add(sink, ".", 1, inode->ino, S_IFDIR, 1)) return 0;
    if (position < 2 && !sink->add(sink, "..", 2, directory->parent->ino, S_IFDIR, 2)) return 0;
    struct entry *at = directory->told && directory->told->cookie <= position ? directory->told : directory->first;
    for (; at; at = at->next) {
        if (at->cookie <= position) continue;
        if (!sink->add(sink, at->name, at->length, at->inode->ino, at->inode->mode, at->cookie)) return 0;
        directory->told = at;
    }
    return 0;
}

static void directory_release(struct inode *inode) {
    struct directory *directory = of(inode);
    while (directory->first) { /* only when a whole file system goes: a removed directory is empty */
        struct inode *child = directory->first->inode;
        take_out(directory, directory->first);
        inode_put(child);
    }
    if (directory->buckets != directory->first_buckets) kfree(directory->buckets);
    plain_release(inode);
}

const struct inode_ops tmpfs_directory_ops = {
    .lookup = directory_lookup, .create = directory_create, .symlink = directory_symlink, .link = directory_link, .unlink = directory_unlink,
    .rename = directory_rename, .iterate = directory_iterate, .blocks = no_blocks, .temporary = temporary, .attribute_holder = tmpfs_attribute_holder, .release = directory_release,
};

struct inode *tmpfs_root_create(struct superblock *super, uint32_t mode) { return make_directory(super, S_IFDIR | mode, NULL); }
