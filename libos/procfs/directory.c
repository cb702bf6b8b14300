/* Directories: what the tables have below a place, then its numbered children. */
#include "procfs/internal.h"
#include "lib/format.h"

#define CHILDREN_FROM 0x10000 /* positions of numbered children; below: entries of the tables */
const struct proc_file *node_next_below(const struct node *, unsigned *at);

static const struct proc_children *children_of(const struct node *node) {
    const struct proc_file *file = node->file;
    return file ? file->children : NULL;
}

/* The place of a numbered child. */
static bool child_node(const struct node *parent, const struct proc_children *children, uint64_t number, struct node *out) {
    *out = *parent;
    out->scope = children->scope;
    out->path = "";
    out->length = 0;
    if (children->scope == PROC_PROCESS) {
        const struct process *process = process_find((int)number);
        if (!process) return false;
        out->pid = (int)number;
        out->started_ns = process->started_ns;
    } else if (children->scope == PROC_TASK) {
        out->tid = (int)number;
    } else {
        out->number = number;
    }
    out->file = node_find(out);
    return true;
}

static size_t child_name(const struct proc_children *children, const struct proc_text *about, uint64_t number, char out[32]) {
    return children->name ? children->name(about, number, out) : format_text(out, 32, "%lu", (unsigned long)number);
}

static bool find_child(const struct node *parent, const char *name, size_t length, struct node *out) {
    const struct proc_children *children = children_of(parent);
    struct proc_text about;
    uint64_t number = 0;
    char text[32];
    if (!children || !node_subject(parent, &about) || length >= sizeof text) return false;
    if (!children->name) {
        for (size_t i = 0; i < length; i++) {
            if (name[i] < '0' || name[i] > '9' || length > 10) return false;
            number = number * 10 + (uint64_t)(name[i] - '0');
        }
        uint64_t found = number;
        if (!length || (length > 1 && name[0] == '0') || !children->next(&about, &found) || found != number) return false;
        return child_node(parent, children, number, out);
    }
    for (; children->next(&about, &number); number++)
        if (child_name(children, &about, number, text) == length && !memcmp(text, name, length)) return child_node(parent, children, number, out);
    return false;
}

static int lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    const struct node *parent = node_of(directory);
    struct node node = *parent;
    struct proc_text about;
    const struct proc_file *file;
    if (!node_subject(parent, &about)) return -ENOENT;
    for (unsigned at = 0; (file = node_next_below(parent, &at));) {
        const char *rest = file->path + parent->length + (parent->length != 0);
        if (strncmp(rest, name, length) || (rest[length] && rest[length] != '/')) continue;
        node.path = file->path;
        node.length = (uint16_t)(rest + length - file->path);
        node.file = node_find(&node);
        return node_inode(directory->super, &node, out);
    }
    return find_child(parent, name, length, &node) ? node_inode(directory->super, &node, out) : -ENOENT;
}

/* Was this first part of a name met in an earlier entry? */
static bool seen_before(const struct node *parent, unsigned before, const char *name, size_t length) {
    const struct proc_file *file;
    for (unsigned at = 0; (file = node_next_below(parent, &at)) && at < before;) {
        const char *rest = file->path + parent->length + (parent->length != 0);
        if (!strncmp(rest, name, length) && (!rest[length] || rest[length] == '/')) return true;
    }
    return false;
}

static int iterate(struct inode *directory, int64_t position, struct dirent_sink *sink) {
    const struct node *parent = node_of(directory);
    const struct proc_children *children = children_of(parent);
    struct proc_text about;
    const struct proc_file *file;
    if (!node_subject(parent, &about)) return -ENOENT;
    if (position < 1 && !sink->add(sink, ".", 1, directory->ino, S_IFDIR, 1)) return 0;
    if (position < 2 && !sink->add(sink, "..", 2, directory->ino, S_IFDIR, 2)) return 0;
    for (unsigned at = position < 2 ? 0 : position < CHILDREN_FROM ? (unsigned)position - 2 : CHILDREN_FROM; (file = node_next_below(parent, &at));) {
        const char *name = file->path + parent->length + (parent->length != 0), *end = name;
        while (*end && *end != '/') end++;
        if (seen_before(parent, at, name, (size_t)(end - name))) continue;
        if (!sink->add(sink, name, (size_t)(end - name), at, *end ? S_IFDIR : file->mode, at + 2)) return 0;
    }
    uint64_t number = position > CHILDREN_FROM ? (uint64_t)position - CHILDREN_FROM : 0;
    for (; children && children->next(&about, &number); number++) {
        char name[32];
        struct node node;
        size_t length = child_name(children, &about, number, name);
        if (!child_node(parent, children, number, &node)) continue;
        if (!sink->add(sink, name, length, CHILDREN_FROM + number, node.file ? node.file->mode : S_IFDIR, (int64_t)number + CHILDREN_FROM + 1)) return 0;
    }
    return 0;
}

/* Anything below a process ends with it; its owner may have changed. */
static int refresh(struct inode *inode) {
    const struct node *node = node_of(inode);
    struct proc_text about;
    if (!node->pid) return 0;
    if (!node_subject(node, &about)) return -ENOENT;
    node_owner(inode);
    return 0;
}

static int opened(struct inode *inode, uint32_t flags) {
    const struct node *node = node_of(inode);
    struct proc_text about;
    if (!node_subject(node, &about)) return -ENOENT;
    /* Settings that cannot be written refuse even root at opening (proc(5), /proc/sys). */
    if (flags & O_ACCMODE && node->file && !node->file->store && !node->file->transfer && !strncmp(node->path, "sys/", 4)) return -EACCES;
    return about.process && node->file && node->file->flags & PROC_PRIVATE && !proc_may_look(about.process) ? -EACCES : 0;
}

static void release(struct inode *inode) {
    kfree(inode->data);
    kfree(inode);
}

const struct inode_ops proc_directory_ops = {
    .lookup = lookup, .iterate = iterate, .refresh = refresh, .opened = opened, .release = release };
