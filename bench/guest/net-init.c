/*
 * The first process of a Linux guest with a network: loads the modules that lie in /modules, in the order of their names and with what the kernel's command line has for
 * them (as modprobe does: microvm's devices are named there), gives eth0 the address of QEMU's user network, and becomes the server. Usage: net-init PROGRAM [ARGUMENT...].
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "virtio_mmio.device=512@0xfeb00000:5" for virtio_mmio: "device=512@0xfeb00000:5". */
static void find_parameters(const char *file, char *out) {
    static char line[4096];
    char *name = strchr(file, '-'), *end;
    int fd = open("/proc/cmdline", O_RDONLY);
    ssize_t size = read(fd, line, sizeof line - 1);
    close(fd);
    *out = 0;
    if (size < 0 || !name || !(end = strrchr(name, '.'))) return;
    line[size] = 0;
    size_t length = (size_t)(end - ++name);
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
        if (!strncmp(word, name, length) && word[length] == '.') strcat(strcat(out, word + length + 1), " ");
}

static void load_modules(void) {
    static char parameters[4096];
    struct dirent **names;
    int count = scandir("/modules", &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[300];
        snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
        int fd = names[i]->d_name[0] == '.' ? -1 : open(path, O_RDONLY);
        find_parameters(names[i]->d_name, parameters);
        if (fd >= 0 && syscall(SYS_finit_module, fd, parameters, 0)) perror(path);
        if (fd >= 0) close(fd);
    }
}

static void up(int fd, const char *name, const char *address, const char *mask) {
    struct ifreq request = { 0 };
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    strcpy(request.ifr_name, name);
    in->sin_family = AF_INET;
    inet_pton(AF_INET, address, &in->sin_addr);
    if (ioctl(fd, SIOCSIFADDR, &request)) perror(name);
    inet_pton(AF_INET, mask, &in->sin_addr);
    ioctl(fd, SIOCSIFNETMASK, &request);
    ioctl(fd, SIOCGIFFLAGS, &request);
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request)) perror(name);
}

int main(int argc, char **argv) {
    (void)argc;
    mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    load_modules();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    up(fd, "lo", "127.0.0.1", "255.0.0.0");
    up(fd, "eth0", "10.0.2.15", "255.255.255.0");
    struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
    struct sockaddr_in *in = (struct sockaddr_in *)&route.rt_gateway;
    ((struct sockaddr_in *)&route.rt_dst)->sin_family = ((struct sockaddr_in *)&route.rt_genmask)->sin_family = in->sin_family = AF_INET;
    inet_pton(AF_INET, "10.0.2.2", &in->sin_addr);
    ioctl(fd, SIOCADDRT, &route);
    close(fd);
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
