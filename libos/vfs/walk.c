/*
 * From a path's text to a dentry (path_resolution(7)). Owns the rules for "..", mounts, symbolic links (40 at most), trailing slashes
 * and permissions on the way.
 */
#include "vfs/internal.h"

#define LINKS_MOST 40
struct walk { struct path at; unsigned links; };

char *walk_buffer(void) {
    return page_alloc();
}

void walk_buffer_free(char *buffer) {
    page_put(virt_to_phys(buffer));
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
    if (name.length == 2 && name.text[0] == '.' && name.text[1] == '.') {
        go_up(&walk->at);
        return 0;
    }
    if (name.length > NAME_MAX) return -ENAMETOOLONG;
    struct dentry *next;
    error = dentry_lookup(walk->at.dentry, name, &next);
    if (error) return error;
    if (follows && next->inode->ops->jump) {
        struct path to;
        error = next->inode->ops->jump(next->inode, &to);
        if (error != -ENXIO) {
            dentry_put(next);
            if (error) return error;
            path_put(walk->at);
            walk->at = to;
            return 0;
        }
    }
    if (follows && is_symlink(next->inode) && !next->inode->ops->target) return follow(walk, next, flags);
    dentry_put(walk->at.dentry);
    walk->at.dentry = next;
    walk->at = path_mounted(walk->at);
    return 0;
}

static int walk_text(struct walk *walk, const char *text, unsigned flags, struct name *last) {
    if (*text == '/') {
        struct path root = view()->root;
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
    if (!*text && !(flags & WALK_EMPTY)) return -ENOENT;
    struct walk walk = { start, 0 };
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
    struct file *file = file_lookup(directory);
    if (!file) return -EBADF;
    struct open_file *open = file_open_of(file);
    if (!open || (*text && !is_directory(open->inode))) return -ENOTDIR;
    return walk_from(open->path, text, flags, out, last);
}

int walk_user(int directory, const char *program_path, unsigned flags, char *buffer, struct path *out, struct name *last) {
    long length = user_string_in(buffer, program_path, PATH_MAX);
    return length < 0 ? (int)length : walk_at(directory, buffer, flags, out, last);
}
