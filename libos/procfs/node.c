/* From places to inodes: what the tables say about a place, who it is about, who owns it. */
#include "procfs/internal.h"

static bool is_process_scope(unsigned scope) { return scope == PROC_PROCESS || scope == PROC_TASK; }

/* Entries of a table that count in a scope: tasks have what their process has, too. */
static bool counts(const struct proc_files *table, const struct proc_file *file, unsigned scope) {
    if (scope == PROC_TASK && table->scope == PROC_PROCESS) return !(file->flags & PROC_NOT_IN_TASKS) && file->path[0];
    return table->scope == scope;
}

const struct proc_file *node_find(const struct node *node) {
    for (const struct proc_files *table = __hull_proc_start; table < __hull_proc_end; table++)
        for (unsigned i = 0; i < table->count; i++) {
            const struct proc_file *file = &table->files[i];
            if (!counts(table, file, node->scope)) continue;
            if (!strncmp(file->path, node->path, node->length) && !file->path[node->length]) return file;
        }
    return NULL;
}

const struct proc_file *node_next_below(const struct node *node, unsigned *at) {
    unsigned first = 0; /* the table's first number */
    for (const struct proc_files *table = __hull_proc_start; table < __hull_proc_end; first += table->count, table++)
        for (unsigned i = *at > first ? *at - first : 0; i < table->count; i++) {
            const struct proc_file *file = &table->files[i];
            if (!counts(table, file, node->scope) || strncmp(file->path, node->path, node->length)) continue;
            if (node->length ? file->path[node->length] != '/' : !file->path[0]) continue;
            *at = first + i + 1;
            return file;
        }
    return NULL;
}

bool node_subject(const struct node *node, struct proc_text *out) {
    *out = (struct proc_text){ .file = node->file, .number = node->number };
    if (!node->pid) return true;
    out->process = process_find(node->pid);
    if (!out->process || out->process->started_ns != node->started_ns) return false;
    if (!node->tid) return true;
    for (struct thread *thread = out->process->threads; thread; thread = thread->next)
        if (thread->tid == node->tid) out->thread = thread;
    return out->thread != NULL;
}

int proc_directory_process(struct file *file, struct process **out) {
    struct inode *inode = file_inode(file);
    struct proc_text about;
    if (!inode || inode->ops != &proc_directory_ops) return -EBADF;
    const struct node *node = node_of(inode);
    if (node->scope != PROC_PROCESS || node->length || node->tid) return -EBADF;
    if (!node_subject(node, &about)) return -ESRCH;
    *out = about.process;
    return 0;
}

bool proc_may_look(const struct process *process) {
    const struct credentials *me = &current_process()->credentials, *them = &process->credentials;
    if (!me->euid || process == current_process()) return true;
    return me->euid == them->uid && me->euid == them->euid && me->euid == them->suid && me->egid == them->gid && me->egid == them->egid &&
           me->egid == them->sgid;
}

/* proc(5): the effective user of the process. */
void node_owner(struct inode *inode) {
    struct proc_text about;
    inode->uid = inode->gid = 0;
    if (!node_subject(node_of(inode), &about)) return;
    if (about.process) {
        inode->uid = about.process->credentials.euid;
        inode->gid = about.process->credentials.egid;
    }
    if (about.file && about.file->mode_of) inode->mode = (inode->mode & S_IFMT) | about.file->mode_of(&about);
}

static uint64_t number_of(const struct node *node) {
    uint64_t hash = 14695981039346656037ull;
    const uint64_t parts[] = { node->scope, (uint64_t)node->pid << 32 | (uint32_t)node->tid, node->number };
    for (unsigned i = 0; i < 3; i++) hash = (hash ^ parts[i]) * 1099511628211ull;
    for (unsigned i = 0; i < node->length; i++) hash = (hash ^ (uint8_t)node->path[i]) * 1099511628211ull;
    return (hash >> 32 ^ hash) & 0xffffffff;
}

int node_inode(struct superblock *super, const struct node *node, struct inode **out) {
    uint32_t mode = node->file ? node->file->mode : S_IFDIR | 0555;
    uint32_t kind = mode & S_IFMT;
    struct node *own = kmalloc(sizeof *own);
    struct inode *inode = own ? inode_create(kind == S_IFDIR ? &proc_directory_ops : kind == S_IFLNK ? (node->file->target ? &proc_file_link_ops : &proc_link_ops) : &proc_file_ops, super, mode) : NULL;
    if (!inode) {
        kfree(own);
        return -ENOMEM;
    }
    *own = *node;
    inode->data = own;
    inode->ino = number_of(node);
    inode->nlink = kind == S_IFDIR ? 2 : 1;
    if (is_process_scope(node->scope) || node->pid) node_owner(inode);
    else inode->uid = inode->gid = 0;
    *out = inode;
    return 0;
}
