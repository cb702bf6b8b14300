/* Life of overlay inodes, and copying up: an inode gets an upper one, with its content and attributes, the first time that it changes. */
#include "overlay/internal.h"
#include "arch/arch.h"
#include "wait/wait.h"

enum { FIRST_BITS = 6, GROW_BITS = 2 };
/* Overlay inodes by their upper one: all of them (hard links meet here); and by its number those that show another one's. Of 2^bits buckets, in which there are no references. */
static struct table { struct inode **buckets, *first[1 << FIRST_BITS]; unsigned bits, count; } tables[OVERLAY_TABLES];

static uint64_t key_of(const struct inode *inode, enum overlay_table which) {
    const struct inode *upper = layers_of(inode)->upper;
    return which == OVERLAY_BY_UPPER ? (uintptr_t)upper : upper->ino;
}
static struct inode **bucket_of(const struct table *table, uint64_t key) { return &table->buckets[key * 0x9e3779b97f4a7c15 >> (64 - table->bits)]; }

static void chain_in(struct table *table, struct inode *inode, enum overlay_table which) {
    struct inode **bucket = bucket_of(table, key_of(inode, which));
    layers_of(inode)->next[which] = *bucket;
    *bucket = inode;
}

/* A table that cannot grow still works, only slower. */
static void grow(struct table *table, enum overlay_table which) {
    struct table old = *table;
    struct inode **buckets = old.buckets ? kzalloc(sizeof *buckets << (old.bits + GROW_BITS)) : table->first;
    if (!buckets) return;
    table->buckets = buckets;
    table->bits = old.buckets ? old.bits + GROW_BITS : FIRST_BITS;
    for (unsigned i = 0; old.buckets && i < 1u << old.bits; i++)
        for (struct inode *at = old.buckets[i], *next; at; at = next) {
            next = layers_of(at)->next[which];
            chain_in(table, at, which);
        }
    if (old.buckets != table->first) kfree(old.buckets);
}

static void put_in(struct inode *inode, enum overlay_table which) {
    struct table *table = &tables[which];
    if (!table->buckets || table->count >= 2u << table->bits) grow(table, which);
    table->count++;
    chain_in(table, inode, which);
}

static void take_out(struct inode *inode, enum overlay_table which) {
    struct inode **at = bucket_of(&tables[which], key_of(inode, which));
    while (*at != inode) at = &layers_of(*at)->next[which];
    *at = layers_of(inode)->next[which];
    tables[which].count--;
}

static bool is_numbered(const struct inode *inode) { return inode->ino != (OVERLAY_UPPER_NUMBER | layers_of(inode)->upper->ino); }

static void remember(struct inode *inode) {
    put_in(inode, OVERLAY_BY_UPPER);
    if (is_numbered(inode)) put_in(inode, OVERLAY_BY_NUMBER);
}

void overlay_take_attributes(struct inode *to, const struct inode *from) {
    to->mode = from->mode, to->uid = from->uid, to->gid = from->gid;
    to->atime = from->atime, to->mtime = from->mtime, to->ctime = from->ctime, to->btime = from->btime;
}

static const char opaque_name[] = "trusted.overlay.opaque";

int overlay_mark_opaque(struct inode *upper) {
    upper->rdev = OVERLAY_OPAQUE;
    if (!outlives(upper)) return 0;
    int error = inode_xattr_set(upper, opaque_name, sizeof opaque_name - 1, "y", 1);
    return error ? error : upper->ops->attributes_changed(upper);
}

void overlay_read_marks(struct inode *upper) {
    struct xattr_view view;
    if (upper->rdev || !outlives(upper)) return;
    for (const struct extended *at = inode_xattr_next(upper, NULL, &view); at; at = inode_xattr_next(upper, at, &view))
        if (view.length == sizeof opaque_name - 1 && !memcmp(view.name, opaque_name, view.length)) upper->rdev = OVERLAY_OPAQUE;
}

int overlay_push_all(const struct superblock *super) {
    const struct table *table = &tables[OVERLAY_BY_UPPER];
    for (unsigned i = 0; table->buckets && i < 1u << table->bits; i++)
        for (struct inode *at = table->buckets[i]; at; at = layers_of(at)->next[OVERLAY_BY_UPPER])
            if (at->super == super) overlay_take_attributes(layers_of(at)->upper, at);
    return 0;
}

static const struct inode_ops *ops_of(const struct inode *inode) {
    switch (inode->mode & S_IFMT) {
    case S_IFDIR: return &overlay_directory_ops;
    case S_IFREG: return &overlay_file_ops;
    case S_IFLNK: return &overlay_link_ops;
    default: return &overlay_node_ops;
    }
}

static char *copy_name(const char *name, size_t length) {
    char *copy = kmalloc(length + 1);
    if (copy) memcpy(copy, name, length);
    if (copy) copy[length] = 0;
    return copy;
}

static struct inode *find(enum overlay_table which, uint64_t key, const struct superblock *super) {
    const struct table *table = &tables[which];
    struct inode *inode = table->buckets ? *bucket_of(table, key) : NULL;
    while (inode && (key_of(inode, which) != key || inode->super != super)) inode = layers_of(inode)->next[which];
    return inode;
}

struct inode *overlay_known(const struct superblock *super, const struct inode *upper) { return find(OVERLAY_BY_UPPER, (uintptr_t)upper, super); }
struct inode *overlay_numbered(const struct superblock *super, uint64_t upper_number) { return find(OVERLAY_BY_NUMBER, upper_number, super); }

int overlay_inode(struct superblock *super, struct inode *parent, const char *name, size_t length, struct inode *lower, struct inode *upper,
                  struct inode **out) {
    struct inode *inode = upper ? overlay_known(super, upper) : NULL;
    if (inode) {
        inode_get(*out = inode);
        if (lower) inode_put(lower);
        inode_put(upper);
        return 0;
    }
    const struct inode *real = upper ? upper : lower;
    struct layers *layers = kzalloc(sizeof *layers);
    char *copy = upper ? NULL : copy_name(name, length);
    if (layers && (upper || copy)) inode = inode_create(ops_of(real), super, real->mode);
    if (!inode) {
        kfree(copy);
        kfree(layers);
        if (lower) inode_put(lower);
        if (upper) inode_put(upper);
        return -ENOMEM;
    }
    *layers = (struct layers){ .lower = lower, .upper = upper, .parent = parent, .name = copy };
    if (parent) inode_get(parent);
    overlay_take_attributes(inode, real);
    inode->ino = lower ? lower->ino : OVERLAY_UPPER_NUMBER | upper->ino;
    inode->rdev = is_kind(real, S_IFDIR) ? 0 : real->rdev;
    inode->size = real->size;
    inode->nlink = (lower ? lower : upper)->nlink;
    inode->data = layers;
    if (upper) remember(inode);
    *out = inode;
    return 0;
}

void overlay_release(struct inode *inode) {
    struct layers *layers = layers_of(inode);
    if (layers->upper) {
        take_out(inode, OVERLAY_BY_UPPER);
        if (is_numbered(inode)) take_out(inode, OVERLAY_BY_NUMBER);
        overlay_take_attributes(layers->upper, inode);
        inode_put(layers->upper);
    }
    if (layers->lower) inode_put(layers->lower);
    if (layers->parent) inode_put(layers->parent);
    kfree(layers->name);
    kfree(layers);
    kfree(inode);
}

static int make_upper(struct inode *inode, struct inode *directory, int64_t most, struct inode **out) {
    struct layers *layers = layers_of(inode);
    struct inode *lower = layers->lower;
    size_t length = strlen(layers->name);
    if (is_kind(inode, S_IFLNK)) {
        char *text = page_alloc();
        if (!text) return -ENOSPC;
        long size = lower->ops->readlink(lower, text, PAGE_SIZE - 1);
        if (size >= 0) text[size] = 0;
        int error = size < 0 ? (int)size : directory->ops->symlink(directory, layers->name, length, text, out);
        page_put(virt_to_phys(text));
        return error;
    }
    if (!is_kind(inode, S_IFREG)) return directory->ops->create(directory, layers->name, length, inode->mode, inode->rdev, out);
    /* It gets its name when it is whole: a machine that ends before has the lower one. */
    int64_t size = inode->size < most ? inode->size : most;
    int error = directory->ops->temporary(directory, inode->mode, out);
    if (error) return error;
    error = inode_copy(lower, *out, size);
    overlay_take_attributes(*out, inode);
    if (!error) error = directory->ops->link(directory, layers->name, length, *out);
    if (error) inode_put(*out);
    return error;
}

static struct wait_queue comings; /* of upper inodes */
static bool has_come(void *argument) { return !((struct layers *)argument)->coming; }

int overlay_copy_up(struct inode *inode, int64_t most) {
    struct layers *layers = layers_of(inode);
    /* From the first directory that has an upper one downwards: a deep tree is a loop, not a recursion. */
    while (!layers->upper) {
        struct inode *at = inode, *upper;
        while (!layers_of(layers_of(at)->parent)->upper) at = layers_of(at)->parent;
        struct layers *of = layers_of(at);
        if (of->coming) { /* another thread is at it */
            wait_until(&comings, has_come, of, 0, false);
            continue;
        }
        of->coming = true;
        int error = make_upper(at, layers_of(of->parent)->upper, at == inode ? most : 0, &upper);
        of->coming = false;
        wait_queue_wake(&comings, -1);
        if (error) return error == -ENOMEM ? -ENOSPC : error;
        overlay_take_attributes(upper, at);
        of->upper = upper;
        remember(at);
        kfree(of->name);
        of->name = NULL;
        if (is_kind(at, S_IFREG) || is_kind(at, S_IFDIR)) at->size = upper->size;
    }
    return 0;
}
