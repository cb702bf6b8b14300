/*
 * Directories of an overlay. A name is looked for above, then below; a whiteout above (a character device 0:0, as Linux's overlayfs has it)
 * hides what is below, an opaque directory hides the whole one of its name. Changing calls copy the directory up first.
 */
#include "overlay/internal.h"

/* Positions: those of the lower directory, then the upper one's. */
#define PHASE_UPPER (1ll << 60)
#define PHASE_MASK (PHASE_UPPER - 1)

/* What a layer has: 0 with *out NULL when it has nothing. */
static int look(struct inode *directory, const char *name, size_t length, struct inode **out) {
    *out = NULL;
    if (!directory) return 0;
    int error = directory->ops->lookup(directory, name, length, out);
    if (error) *out = NULL;
    return error == -ENOENT ? 0 : error;
}

static struct inode *upper_of(const struct inode *inode) { return layers_of(inode)->upper; }
static struct inode *lower_of(const struct inode *inode) { return layers_of(inode)->lower; }

static int lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    struct inode *upper, *lower = NULL;
    int error = look(upper_of(directory), name, length, &upper);
    if (error) return error;
    if (upper && is_whiteout(upper)) {
        inode_put(upper);
        return -ENOENT;
    }
    if (upper && is_kind(upper, S_IFDIR)) overlay_read_marks(upper);
    if (!upper || (is_kind(upper, S_IFDIR) && !is_opaque(upper))) error = look(lower_of(directory), name, length, &lower);
    else if (is_kind(upper, S_IFDIR) && is_redirected(upper) && (lower = overlay_redirected(upper))) inode_get(lower);
    if (!error && upper && lower && !is_kind(lower, S_IFDIR)) {
        inode_put(lower);
        lower = NULL;
    }
    if (error || (!upper && !lower)) {
        if (upper) inode_put(upper);
        return error ? error : -ENOENT;
    }
    return overlay_inode(directory->super, directory, name, length, lower, upper, out);
}

static int has_below(struct inode *directory, const char *name, size_t length) {
    struct inode *lower;
    int error = look(lower_of(directory), name, length, &lower);
    if (!lower) return error;
    inode_put(lower);
    return 1;
}

/* What a directory's size says is its file system's matter. */
static void resize(struct inode *directory) {
    if (upper_of(directory)) directory->size = upper_of(directory)->size;
}

/* A directory's names are about to change: it is there above, and until inodes_settle what is done to it is one change. */
static int begin(struct inode *directory) {
    int error = overlay_copy_up(directory, 0);
    return error ? error : inodes_hold(upper_of(directory)->super);
}

/* A name is about to be made: no whiteout has it. */
static int make_room(struct inode *directory, const char *name, size_t length) {
    struct inode *there;
    int error = look(upper_of(directory), name, length, &there);
    if (error || !there) return error;
    error = is_whiteout(there) ? upper_of(directory)->ops->unlink(upper_of(directory), name, length, there) : -EEXIST;
    inode_put(there);
    return error;
}

static int put_whiteout(struct inode *directory, const char *name, size_t length) {
    int below = has_below(directory, name, length);
    struct inode *made, *upper = upper_of(directory);
    if (below <= 0) return below;
    int error = upper->ops->create(upper, name, length, S_IFCHR, 0, &made);
    if (!error) inode_put(made);
    return error;
}

/* `made` came to be in the upper directory: its overlay inode. */
static int finish(struct inode *directory, const char *name, size_t length, struct inode *made, struct inode **out) {
    if (is_kind(made, S_IFDIR)) {
        int error = overlay_mark_opaque(made);
        if (error) {
            upper_of(directory)->ops->unlink(upper_of(directory), name, length, made);
            inode_put(made);
            return error;
        }
        directory->nlink++;
    }
    resize(directory);
    return overlay_inode(directory->super, directory, name, length, NULL, made, out);
}

static int create(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev, struct inode **out) {
    struct inode *made;
    if ((mode & S_IFMT) == S_IFCHR && !rdev) return -EPERM; /* that is a whiteout */
    int error = begin(directory);
    if (error) return error;
    struct inode *upper = upper_of(directory);
    if (!(error = make_room(directory, name, length))) error = upper->ops->create(upper, name, length, mode, rdev, &made);
    if (!error) error = finish(directory, name, length, made, out);
    inodes_settle(upper->super);
    return error;
}

static int make_symlink(struct inode *directory, const char *name, size_t length, const char *target, struct inode **out) {
    struct inode *made;
    int error = begin(directory);
    if (error) return error;
    struct inode *upper = upper_of(directory);
    if (!(error = make_room(directory, name, length))) error = upper->ops->symlink(upper, name, length, target, &made);
    if (!error) error = finish(directory, name, length, made, out);
    inodes_settle(upper->super);
    return error;
}

static int link(struct inode *directory, const char *name, size_t length, struct inode *target) {
    if (target->super != directory->super) return -EXDEV;
    int error = overlay_copy_up(target, INT64_MAX);
    if (!error) error = begin(directory);
    if (error) return error;
    struct inode *upper = upper_of(directory);
    if (!(error = make_room(directory, name, length))) error = upper->ops->link(upper, name, length, upper_of(target));
    inodes_settle(upper->super);
    if (!error) target->nlink = upper_of(target)->nlink;
    resize(directory);
    return error;
}

/* Counts what is not a dot, and asks for no more than one. */
struct counter { struct dirent_sink sink; bool any; };
static bool count_name(struct dirent_sink *sink, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset) {
    (void)ino, (void)mode, (void)offset;
    bool dot = name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
    if (!dot) ((struct counter *)sink)->any = true;
    return dot;
}

static int iterate(struct inode *directory, int64_t position, struct dirent_sink *sink);

/* An empty directory's upper part may hold whiteouts: they go, one at a time. */
struct first_name { struct dirent_sink sink; char name[NAME_MAX]; size_t length; };
static bool take_name(struct dirent_sink *sink, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset) {
    struct first_name *first = (struct first_name *)sink;
    (void)ino, (void)mode, (void)offset;
    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))) return true;
    memcpy(first->name, name, first->length = length);
    return false;
}

static int empty_out(struct inode *victim) {
    struct counter counter = { { count_name }, false };
    int error = iterate(victim, 0, &counter.sink);
    if (error || counter.any) return error ? error : -ENOTEMPTY;
    for (struct inode *upper = upper_of(victim), *whiteout; upper;) {
        struct first_name first = { .sink = { take_name } };
        if ((error = upper->ops->iterate(upper, 0, &first.sink))) return error;
        if (!first.length) break;
        if ((error = upper->ops->lookup(upper, first.name, first.length, &whiteout))) return error;
        error = upper->ops->unlink(upper, first.name, first.length, whiteout);
        inode_put(whiteout);
        if (error) return error;
    }
    return 0;
}

static void forget(struct inode *directory, struct inode *victim) {
    if (is_kind(victim, S_IFDIR)) {
        if (upper_of(victim)) overlay_redirect_drop(upper_of(victim));
        victim->nlink = 0;
        directory->nlink--;
    } else victim->nlink = upper_of(victim) ? upper_of(victim)->nlink : victim->nlink - 1;
}

static int unlink(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    int error = begin(directory);
    if (error) return error;
    struct inode *upper = upper_of(directory);
    if (is_kind(victim, S_IFDIR)) error = empty_out(victim);
    if (!error && upper_of(victim)) error = upper->ops->unlink(upper, name, length, upper_of(victim));
    if (!error) error = put_whiteout(directory, name, length);
    inodes_settle(upper->super);
    if (!error) forget(directory, victim);
    resize(directory);
    return error;
}

static void set_parent(struct inode *inode, struct inode *parent) {
    struct layers *layers = layers_of(inode);
    inode_get(parent);
    inode_put(layers->parent);
    layers->parent = parent;
}

/* Ready to get another name: there above, and a directory remembers what is below it. */
static int make_movable(struct inode *inode) {
    int error = overlay_copy_up(inode, INT64_MAX);
    /* As Linux without redirect_dir: who moves it copies it. */
    if (!error && is_kind(inode, S_IFDIR) && lower_of(inode) && outlives(upper_of(inode))) return -EXDEV;
    return !error && is_kind(inode, S_IFDIR) && lower_of(inode) ? overlay_redirect(upper_of(inode), lower_of(inode)) : error;
}

/* Both names are there above afterwards, so both cover what is below: no whiteouts. */
static int swap(struct inode *from, const char *name, size_t length, struct inode *one, struct inode *to, const char *new_name, size_t new_length,
                struct inode *other) {
    int error = make_movable(one), directories = is_kind(one, S_IFDIR) - is_kind(other, S_IFDIR);
    if (!error) error = make_movable(other);
    struct inode *upper = upper_of(from);
    if (!error) error = upper->ops->rename(upper, name, length, upper_of(one), upper_of(to), new_name, new_length, upper_of(other), true);
    if (error) return error;
    from->nlink -= (uint32_t)directories;
    to->nlink += (uint32_t)directories;
    set_parent(one, to);
    set_parent(other, from);
    return 0;
}

static int rename(struct inode *from, const char *name, size_t length, struct inode *moved, struct inode *to, const char *new_name,
                  size_t new_length, struct inode *replaced, bool exchange) {
    if (exchange) return swap(from, name, length, moved, to, new_name, new_length, replaced);
    int error = make_movable(moved);
    if (!error) error = overlay_copy_up(to, 0);
    if (!error) error = begin(from);
    if (error) return error;
    struct inode *upper = upper_of(from), *covered = replaced ? upper_of(replaced) : NULL;
    if (replaced && is_kind(replaced, S_IFDIR)) error = empty_out(replaced);
    if (!error && !covered) error = make_room(to, new_name, new_length);
    if (!error) error = upper->ops->rename(upper, name, length, upper_of(moved), upper_of(to), new_name, new_length, covered, false);
    if (!error) error = put_whiteout(from, name, length);
    inodes_settle(upper->super);
    if (error) return error;
    if (replaced) forget(to, replaced);
    if (is_kind(moved, S_IFDIR)) from->nlink--, to->nlink++;
    set_parent(moved, to);
    resize(from);
    resize(to);
    return 0;
}

/* The number of what `upper`, found under a name of the upper directory, shows: that of the lower one when it was copied up. */
static int number_of(struct inode *directory, const char *name, size_t length, struct inode *upper, uint64_t *ino) {
    struct inode *there = overlay_known(directory->super, upper);
    if (there) *ino = there->ino;
    else if (!is_kind(upper, S_IFDIR)) *ino = OVERLAY_UPPER_NUMBER | upper->ino;
    else {
        int error = lookup(directory, name, length, &there);
        if (error) return error;
        *ino = there->ino;
        inode_put(there);
    }
    return 0;
}

/* The same where only the upper directory's word is there: the upper number *ino, and a mode that has at least the kind, 0: unknown. -ENOENT: a whiteout. */
static int number_in(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t *ino) {
    struct inode *upper, *there = overlay_numbered(directory->super, *ino);
    uint32_t kind = mode & S_IFMT;
    if (there || (kind && kind != S_IFCHR && kind != S_IFDIR)) { /* what the directory says is enough */
        *ino = there ? there->ino : OVERLAY_UPPER_NUMBER | *ino;
        return 0;
    }
    int error = look(upper_of(directory), name, length, &upper);
    if (error || !upper) return error ? error : -ENOENT;
    error = is_whiteout(upper) ? -ENOENT : number_of(directory, name, length, upper, ino);
    inode_put(upper);
    return error;
}

/* What a name of the lower directory shows, which something above may hide (-ENOENT) or replace. */
static int show_lower(struct inode *directory, const char *name, size_t length, uint64_t *ino, uint32_t *mode) {
    struct inode *upper;
    int error = look(upper_of(directory), name, length, &upper);
    if (error || !upper) return error;
    *mode = upper->mode;
    error = is_whiteout(upper) ? -ENOENT : number_of(directory, name, length, upper, ino);
    inode_put(upper);
    return error;
}

static int show_upper(struct inode *directory, const char *name, size_t length, uint64_t *ino, uint32_t mode) {
    int below = has_below(directory, name, length);
    if (below) return below < 0 ? below : -ENOENT; /* it was shown with the lower names */
    return number_in(directory, name, length, mode, ino);
}

/* Passes a layer's names on with positions, numbers and a choice of the overlay's own. */
struct filter { struct dirent_sink sink, *to; struct inode *directory; int64_t phase; bool full; int error; };
static bool filter_name(struct dirent_sink *sink, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset) {
    struct filter *filter = (struct filter *)sink;
    struct layers *layers = layers_of(filter->directory);
    int error = 0;
    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))) {
        if (filter->phase && layers->lower) return true;
        ino = length == 2 && layers->parent ? layers->parent->ino : filter->directory->ino;
    } else if (filter->phase) error = show_upper(filter->directory, name, length, &ino, mode);
    else error = show_lower(filter->directory, name, length, &ino, &mode);
    if (error == -ENOENT) return true;
    if (error) filter->error = error;
    else if (filter->to->add(filter->to, name, length, ino, mode, filter->phase | offset)) return true;
    else filter->full = true;
    return false;
}

/*
 * A listing may take many calls, and files change between them. So each name belongs to one layer whatever happens above: what the lower directory has comes with its
 * names, also when it was copied up meanwhile; only what it has not comes with those above.
 */
static int iterate(struct inode *directory, int64_t position, struct dirent_sink *sink) {
    struct layers *layers = layers_of(directory);
    if (layers->lower && !layers->upper && position < PHASE_UPPER) /* its dots and numbers are the overlay's, too */
        return layers->lower->ops->iterate(layers->lower, position, sink);
    for (int64_t phase = 0; phase <= PHASE_UPPER; phase += PHASE_UPPER) {
        struct inode *layer = phase ? layers->upper : layers->lower;
        if (!layer || position >= phase + PHASE_UPPER) continue;
        struct filter filter = { { filter_name }, sink, directory, phase, false, 0 };
        int error = layer->ops->iterate(layer, position >= phase ? position & PHASE_MASK : 0, &filter.sink);
        if (error || filter.error) return error ? error : filter.error;
        if (filter.full) return 0;
    }
    return 0;
}

static int changed(struct inode *inode) {
    int error = overlay_copy_up(inode, 0);
    if (error) return error;
    struct inode *upper = upper_of(inode);
    overlay_take_attributes(upper, inode);
    return upper->ops->changed ? upper->ops->changed(upper) : 0;
}

static uint64_t blocks(struct inode *inode) {
    struct inode *upper = layers_of(inode)->upper;
    return upper && upper->ops->blocks ? upper->ops->blocks(upper) : 8;
}

/* Without a name, until it is linked. */
static int temporary(struct inode *directory, uint32_t mode, struct inode **out) {
    struct inode *made;
    int error = overlay_copy_up(directory, 0);
    if (error) return error;
    struct inode *upper = upper_of(directory);
    if (!upper->ops->temporary) return -EOPNOTSUPP;
    error = upper->ops->temporary(upper, mode, &made);
    return error ? error : overlay_inode(directory->super, directory, "", 0, NULL, made, out);
}

const struct inode_ops overlay_directory_ops = {
    .lookup = lookup, .create = create, .symlink = make_symlink, .link = link, .unlink = unlink, .rename = rename, .iterate = iterate,
    .changed = changed, .sync = overlay_sync, .blocks = blocks, .temporary = temporary, .attribute_holder = overlay_attribute_holder, .release = overlay_release,
};

static void statfs(struct superblock *super, struct linux_statfs *out) {
    struct superblock *upper = super->data;
    if (upper->ops->statfs) upper->ops->statfs(upper, out);
    out->type = 0x794c7630; /* OVERLAYFS_SUPER_MAGIC */
}
static int sync_all(struct superblock *super) {
    struct superblock *upper = super->data;
    int error = overlay_push_all(super);
    if (error || !upper->ops->sync) return error;
    return upper->ops->sync(upper);
}
static const struct super_ops super_ops = { .statfs = statfs, .sync = sync_all };

struct superblock *overlay_create(struct superblock *lower, struct superblock *upper, struct inode *top, uint64_t device) {
    struct superblock *super = kzalloc(sizeof *super);
    if (!super) return NULL;
    *super = (struct superblock){ .ops = &super_ops, .kind = "overlay", .device = device, .data = upper };
    if (!top) overlay_take_attributes(top = upper->root, lower->root);
    inode_get(lower->root);
    inode_get(top);
    if (!overlay_inode(super, NULL, "", 0, lower->root, top, &super->root)) return super;
    kfree(super);
    return NULL;
}
