/* xen_store.h, over two rings of bytes in a page that the toolstack made. One request is out at a time. Events of watches, which may come before an answer, are noted and run as deferred work. */
#include "arch/arch.h"
#include "channel/channel.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "wait/wait.h"
#include "xen-event/xen_event.h"
#include "xen-store/xen_store.h"
#include "xen/xen.h"

enum { XS_DIRECTORY = 1, XS_READ = 2, XS_WATCH = 4, XS_WRITE = 11, XS_WATCH_EVENT = 15, XS_ERROR = 16 };
#define RING 1024

struct store_page {
    uint8_t requests[RING], answers[RING];
    uint32_t request_consumed, request_produced, answer_consumed, answer_produced;
};
struct message { uint32_t type, id, transaction, size; };

static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct store_page *store;
static uint32_t event;
static bool busy;    /* a request is out: who made it takes what comes */
static bool noted;   /* a watch has an event that its watcher does not know of */
static struct xen_store_watch *watches;

static bool open_store(void) {
    if (!store && xen_present()) {
        uint64_t frame = xen_parameter(XEN_PARAMETER_STORE_FRAME);
        event = (uint32_t)xen_parameter(XEN_PARAMETER_STORE_EVENT);
        if (frame)
            store = xen_map_frame(page, frame);
    }
    return store;
}

static bool has_room(void) { return store->request_produced - __atomic_load_n(&store->request_consumed, __ATOMIC_ACQUIRE) < RING; }
static bool has_message(void) { return __atomic_load_n(&store->answer_produced, __ATOMIC_ACQUIRE) != store->answer_consumed; }

static void put(const void *from, size_t size) {
    const uint8_t *bytes = from;
    uint32_t produced = store->request_produced;
    while (size) {
        if (!has_room()) {
            xen_event_send(event);
            xen_event_wait(event, has_room);
        }
        store->requests[produced++ % RING] = *bytes++;
        size--;
        __atomic_store_n(&store->request_produced, produced, __ATOMIC_RELEASE);
    }
}

/* The next bytes of the answer; those beyond `room` are dropped. */
static void get(void *to, size_t room, size_t size) {
    uint8_t *bytes = to;
    uint32_t consumed = store->answer_consumed;
    for (size_t done = 0; done < size;) {
        if (!has_message())
            xen_event_wait(event, has_message);
        uint8_t byte = store->answers[consumed++ % RING];
        if (done < room)
            bytes[done] = byte;
        done++;
        __atomic_store_n(&store->answer_consumed, consumed, __ATOMIC_RELEASE);
    }
    xen_event_send(event);
}

static void run_watches(struct deferred *deferred);
static struct deferred changed = {.run = run_watches};

/* Reads one message. true: it is the answer; what it says is in value. */
static bool take_message(struct message *head, char *value, size_t room) {
    get(head, sizeof *head, sizeof *head);
    bool event_of_watch = head->type == XS_WATCH_EVENT;
    get(value, event_of_watch ? 0 : room, head->size);
    if (event_of_watch) {
        noted = true;
        deferred_raise(&changed);
    }
    return !event_of_watch;
}

/* Few paths are watched and seldom: each looks again. */
static void run_watches(struct deferred *deferred) {
    (void)deferred;
    struct message head;
    char nothing[1];
    if (busy)
        return;
    while (has_message())
        take_message(&head, nothing, 0);
    if (!noted)
        return;
    noted = false;
    for (struct xen_store_watch *watch = watches; watch; watch = watch->next)
        watch->changed();
}

static void interrupt(void *arg) {
    (void)arg;
    if (!busy)
        deferred_raise(&changed);
}

/* The answer's bytes, at most `room` of them, and its whole size; or -errno. */
static int ask(uint32_t type, const char *path, const char *rest, size_t rest_size, char *answer, size_t room) {
    static const struct { char name[8]; int error; } errors[] = {{"ENOENT", -ENOENT}, {"EACCES", -EACCES}, {"EEXIST", -EEXIST}, {"ENOMEM", -ENOMEM}};
    char text[16] = "";
    if (!open_store())
        return -ENODEV;
    size_t path_size = strlen(path) + 1;
    struct message head = {type, 0, 0, (uint32_t)(path_size + rest_size)};
    busy = true;
    put(&head, sizeof head);
    put(path, path_size);
    put(rest, rest_size);
    xen_event_send(event);
    while (!take_message(&head, room ? answer : text, room ? room : sizeof text - 1))
        ;
    busy = false;
    if (has_message() || noted)
        deferred_raise(&changed);
    if (head.type != XS_ERROR)
        return (int)head.size;
    const char *name = room ? answer : text;
    for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strncmp(name, errors[i].name, strlen(errors[i].name)))
            return errors[i].error;
    return -EIO;
}

int xen_store_read(const char *path, char *value, size_t size) {
    int length = ask(XS_READ, path, NULL, 0, value, size - 1);
    value[length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1] = 0;
    return length;
}

long xen_store_read_number(const char *path) {
    char text[24];
    if (xen_store_read(path, text, sizeof text) <= 0)
        return -1;
    long number = 0;
    for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
        number = number * 10 + (*digit - '0');
    return number;
}

int xen_store_write(const char *path, const char *value) {
    int result = ask(XS_WRITE, path, value, strlen(value), NULL, 0);
    return result < 0 ? result : 0;
}

int xen_store_list(const char *path, char *names, size_t size) {
    int length = ask(XS_DIRECTORY, path, NULL, 0, names, size);
    return length > (int)size ? -ENOSPC : length;
}

int xen_store_watch(struct xen_store_watch *watch) {
    int error = 0;
    if (!open_store())
        return -ENODEV;
    if (!watches)
        error = xen_event_listen(event, interrupt, NULL);
    watch->next = watches;
    watches = watch;
    if (!error)
        error = ask(XS_WATCH, watch->path, "hull", sizeof "hull", NULL, 0);
    return error < 0 ? error : 0;
}
