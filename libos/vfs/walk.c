/*
 * From a path's text to a dentry (path_resolution(7)). Owns the rules for "..", mounts, symbolic links (40 at most), trailing slashes
 * and permissions on the way.
 */
#include "vfs/internal.h"

#define LINKS_MOST 40
struct walk { struct path at; unsigned links; const struct walk_limits *limits; /* NULL: none */ };

static bool forbids(const struct walk *walk, unsigned resolve) { return walk->limits && walk->limits->resolve & resolve; }
#define SCOPED (RESOLVE_BENEATH | RESOLVE_IN_ROOT)

/* The last one that was given back: the next call's. */
static char *spare;

char *walk_buffer(void) {
    char *buffer = spare;
    spare = NULL;
    return buffer ? buffer : page_alloc();
}

void walk_buffer_free(char *buffer) {
    if (spare) page_put(virt_to_phys(buffer));
    else spare = buffer;
}

static void go_up(struct path *at) {
    struct path root = view()->root;
    while (!path_same(*at, root)) {
        if (at->dentry != at->mount->root) {
            struct dentry *parent = at->dentry->parent;
            dentry_get(parent);
            dentry_put(at->dentry);
            at->dentry = parent;
            *at = path_mounted(*at);
            return;
        }
        if (!at->mount->on) return;
        struct path on = { at->mount->parent, at->mount->on };
        path_get(on);
        path_put(*at);
        *at = on;
    }
}

static int walk_text(struct walk *walk, const char *text, unsigned flags, struct name *last);

/* walk->at is the directory, `link` a symbolic link in it (both referenced; the link's reference is given up). */
static int follow(struct walk *walk, struct dentry *link, unsigned flags) {
    struct inode *inode = link->inode;
    char *text = NULL;
    long length = -ELOOP;
    if (++walk->links <= LINKS_MOST) {
        text = walk_buffer();
        length = !text ? -ENOMEM : inode->ops->readlink ? inode->ops->readlink(inode, text, PATH_MAX - 1) : -EINVAL;
    }
    dentry_put(link);
    int error = length < 0 ? (int)length : length == 0 ? -ENOENT : 0;
    if (!error) {
        text[length] = 0;
        error = walk_text(walk, text, flags & WALK_DIRECTORY, NULL);
    }
    if (text) walk_buffer_free(text);
    return error;
}

/* One name. `follows`: a link there is followed. */
static int step(struct walk *walk, struct name name, bool follows, unsigned flags) {
    struct inode *directory = walk->at.dentry->inode;
    if (!is_directory(directory)) return -ENOTDIR;
    int error = inode_permission(directory, MAY_EXECUTE);
    if (error) return error;
    if (name.length == 1 && name.text[0] == '.') return 0;
    const struct mount *mount = walk->at.mount;
    if (name.length == 2 && name.text[0] == '.' && name.text[1] == '.') {
        bool at_top = forbids(walk, SCOPED) && path_same(walk->at, walk->limits->top);
        if (at_top) return forbids(walk, RESOLVE_BENEATH) ? -EXDEV : 0;
        go_up(&walk->at);
        return forbids(walk, RESOLVE_NO_XDEV) && walk->at.mount != mount ? -EXDEV : 0;
    }
    if (name.length > NAME_MAX) return -ENAMETOOLONG;
    struct dentry *next;
    error = dentry_lookup(walk->at.dentry, name, &next);
    if (error) return error;
    struct path to;
    bool magic = follows && next->inode->ops->target, jumps = follows && next->inode->ops->jump;
    if (jumps) error = next->inode->ops->jump(next->inode, &to);
    if (jumps && error == -ENXIO) jumps = false; /* a link with a text, such as /proc/self */
    if ((magic || jumps) && forbids(walk, RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | SCOPED)) {
        if (jumps && !error) path_put(to);
        dentry_put(next);
        return forbids(walk, RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS) ? -ELOOP : -EXDEV;
    }
    if (jumps) {
        dentry_put(next);
        if (error) return error;
        path_put(walk->at);
        walk->at = to;
        return forbids(walk, RESOLVE_NO_XDEV) && to.mount != mount ? -EXDEV : 0;
    }
    if (follows && is_symlink(next->inode) && !next->inode->ops->target) {
        if (!forbids(walk, RESOLVE_NO_SYMLINKS)) return follow(walk, next, flags);
        dentry_put(next);
        return -ELOOP;
    }
    dentry_put(walk->at.dentry);
    walk->at.dentry = next;
    walk->at = path_mounted(walk->at);
    return forbids(walk, RESOLVE_NO_XDEV) && walk->at.mount != mount ? -EXDEV : 0;
}

static int walk_text(struct walk *walk, const char *text, unsigned flags, struct name *last) {
    if (*text == '/') {
        struct path root = forbids(walk, RESOLVE_IN_ROOT) ? walk->limits->top : view()->root;
        if (forbids(walk, RESOLVE_BENEATH) || (forbids(walk, RESOLVE_NO_XDEV) && root.mount != walk->at.mount)) return -EXDEV;
        path_get(root);
        path_put(walk->at);
        walk->at = root;
    }
    if (last) *last = (struct name){ ".", 1 };
    for (;;) {
        while (*text == '/') text++;
        if (!*text) break;
        struct name name = { text, 0 };
        while (*text && *text != '/') text++;
        name.length = (size_t)(text - name.text);
        const char *rest = text;
        while (*rest == '/') rest++;
        bool final = !*rest, slash = final && rest != text;
        if (final && flags & WALK_PARENT) {
            if (name.length > NAME_MAX) return -ENAMETOOLONG;
            *last = name; /* a trailing slash, where one was, follows within the text */
            break;
        }
        bool follows = !final || slash || !(flags & WALK_NO_FOLLOW);
        int error = step(walk, name, follows, flags);
        if (error) return error;
        if (slash && !is_directory(walk->at.dentry->inode)) return -ENOTDIR;
    }
    if (flags & WALK_DIRECTORY && !is_directory(walk->at.dentry->inode)) return -ENOTDIR;
    if (flags & WALK_PARENT && !is_directory(walk->at.dentry->inode)) return -ENOTDIR;
    return 0;
}

int walk_from(struct path start, const char *text, unsigned flags, struct path *out, struct name *last) {
    return walk_limited(start, text, flags, NULL, out, last);
}

int walk_limited(struct path start, const char *text, unsigned flags, const struct walk_limits *limits, struct path *out, struct name *last) {
    if (!*text && !(flags & WALK_EMPTY)) return -ENOENT;
    struct walk walk = { start, 0, limits };
    path_get(start);
    int error = walk_text(&walk, text, flags, last);
    if (!error && flags & WALK_PARENT) error = inode_permission(walk.at.dentry->inode, MAY_EXECUTE);
    if (error)
        path_put(walk.at);
    else
        *out = walk.at;
    return error;
}

int walk_at(int directory, const char *text, unsigned flags, struct path *out, struct name *last) {
    if (!view()) return -ENOENT;
    if (*text == '/' || directory == AT_FDCWD) return walk_from(view()->cwd, text, flags, out, last);
    if (!*text && !(flags & WALK_EMPTY)) return -ENOENT;
    struct file *file = file_lookup_any(directory);
    if (!file) return -EBADF;
    struct open_file *open = file_open_of(file);
    if (!open || (*text && !is_directory(open->inode))) return -ENOTDIR;
    return walk_from(open->path, text, flags, out, last);
}

int walk_user(int directory, const char *program_path, unsigned flags, char *buffer, struct path *out, struct name *last) {
    long length = user_string_in(buffer, program_path, PATH_MAX);
    return length < 0 ? (int)length : walk_at(directory, buffer, flags, out, last);
}
