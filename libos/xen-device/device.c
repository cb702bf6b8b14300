/* How the two ends find each other (public/io/xenbus.h): each has a path in the store, with its state; the toolstack made both. */
#include "xen-device/xen_device.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "clock/clock.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "xen-event/xen_event.h"
#include "xen-store/xen_store.h"
#include "xen/xen.h"

#define PATIENCE_NS 120000000000ull
enum { NUMBER_MOST = 12 };

/* first/second. false: too long. */
static bool join(char *path, const char *first, const char *second) {
    size_t length = strlen(first), more = strlen(second) + 1;
    if (length + 1 + more > XEN_STORE_PATH_MOST)
        return false;
    memcpy(path, first, length);
    path[length] = '/';
    memcpy(path + length + 1, second, more);
    return true;
}

static const char *write_number(char text[NUMBER_MOST], uint32_t number) {
    char *at = text + NUMBER_MOST - 1;
    *at = 0;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return at;
}

void xen_device_each(const char *kind, void (*found)(const char *path)) {
    char folder[XEN_STORE_PATH_MOST], path[XEN_STORE_PATH_MOST], names[1024];
    if (!xen_present() || !join(folder, "device", kind))
        return;
    int size = xen_store_list(folder, names, sizeof names - 1);
    if (size <= 0)
        return;
    names[size] = 0;
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (join(path, folder, name))
            found(path);
}

int xen_device_read(const struct xen_device *device, const char *name, char *value, size_t size) {
    char path[XEN_STORE_PATH_MOST];
    value[0] = 0;
    return join(path, device->other, name) ? xen_store_read(path, value, size) : -ENAMETOOLONG;
}

long xen_device_number(const struct xen_device *device, const char *name) {
    char path[XEN_STORE_PATH_MOST];
    return join(path, device->other, name) ? xen_store_read_number(path) : -1;
}

int xen_device_tell(const struct xen_device *device, const char *name, const char *value) {
    char path[XEN_STORE_PATH_MOST];
    return join(path, device->path, name) ? xen_store_write(path, value) : -ENAMETOOLONG;
}

int xen_device_set_state(const struct xen_device *device, unsigned state) {
    char text[NUMBER_MOST];
    return xen_device_tell(device, "state", write_number(text, state));
}

/* Each question sleeps until the store answers, which leaves the CPU to the other end. */
static int await(const struct xen_device *device, unsigned state) {
    uint64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    long now;
    do
        now = xen_device_number(device, "state");
    while (now < (long)state && clock_monotonic_ns() < deadline);
    if (now >= (long)state && now < XEN_STATE_CLOSING)
        return 0;
    log_line("xen-device: the other end of %s is in state %d, expected %u", device->path, (int)now, state);
    return now < (long)state ? -ETIMEDOUT : -ENODEV;
}

int xen_device_open(struct xen_device *device, const char *path) {
    char name[XEN_STORE_PATH_MOST];
    long domain = join(name, path, "backend-id") ? xen_store_read_number(name) : -1;
    size_t size = strlen(path) + 1;
    char *copy = kmalloc(size);
    if (!copy)
        return -ENOMEM;
    device->path = memcpy(copy, path, size);
    int length = join(name, path, "backend") ? xen_store_read(name, device->other, sizeof device->other) : -ENAMETOOLONG;
    int error = length < 0 ? length : domain < 0 || domain >= XEN_SELF || !length || length >= (int)sizeof device->other ? -ENODEV : 0;
    device->domain = (uint16_t)domain;
    if (!error)
        error = await(device, XEN_STATE_WAITING);
    if (!error)
        error = xen_event_allocate(device->domain, &device->port);
    char text[NUMBER_MOST];
    return error ? error : xen_device_tell(device, "event-channel", write_number(text, device->port));
}

int xen_device_share(struct xen_device *device, const char *name, const void *page) {
    uint32_t reference = xen_grant_reserve();
    char text[NUMBER_MOST];
    if (!reference)
        return -ENOSPC;
    xen_grant_allow(reference, device->domain, page, false);
    return xen_device_tell(device, name, write_number(text, reference));
}

int xen_device_connect(struct xen_device *device, unsigned state) {
    int error = xen_device_set_state(device, state);
    return error ? error : await(device, XEN_STATE_CONNECTED);
}
