/* Seals on files in memory (fcntl(2), "File Sealing"): what has been promised not to happen any more. Who changes a file looks at inode->seals. */
#include "vfs/internal.h"
#include "vm/vm.h"

#pragma weak areas_find

/* Does some process have it mapped so that it could be written? Looked at only when a seal is to forbid it. */
static bool mapped_to_write(const struct inode *inode) {
    if (!areas_find) return false;
    for (struct process *process = &first_process; process; process = process->next) {
        if (!process->space) continue;
        const struct vm_areas *areas = &process->space->areas;
        for (struct vm_area *area = areas_find(areas, 0); area; area = areas_find(areas, area->end))
            if (area->flags & VM_SHARED && area->file && (area->file->flags & O_ACCMODE) == O_RDWR && file_inode(area->file) == inode) return true;
    }
    return false;
}

long inode_seals(struct file *file, unsigned command, unsigned long seals) {
    struct inode *inode = file_inode(file);
    if (!(inode->seals & SEAL_KIND)) return -EINVAL;
    if (command == F_GET_SEALS) return inode->seals & SEAL_ALL;
    if ((file->flags & O_ACCMODE) == O_RDONLY) return -EPERM;
    if (seals & ~(unsigned long)SEAL_ALL) return -EINVAL;
    if (inode->seals & SEAL_SEAL) return -EPERM;
    if (seals & SEAL_WRITE && !(inode->seals & SEAL_WRITE) && mapped_to_write(inode)) return -EBUSY;
    if (seals & SEAL_EXEC && inode->mode & 0111) seals |= SEAL_SHRINK | SEAL_GROW | SEAL_WRITE | SEAL_FUTURE_WRITE;
    inode->seals |= (uint8_t)seals;
    return 0;
}
