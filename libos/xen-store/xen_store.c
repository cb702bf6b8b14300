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
static struct xen_bytes requests, answers;
static bool busy;    /* a request is out: who made it takes what comes */
static bool noted;   /* a watch has an event that its watcher does not know of */
static struct xen_store_watch *watches;

static bool open_store(void) {
    uint64_t frame;
    if (!requests.bytes && xen_present() && (frame = xen_parameter(XEN_PARAMETER_STORE_FRAME))) {
        uint32_t port = (uint32_t)xen_parameter(XEN_PARAMETER_STORE_EVENT);
        struct store_page *store = xen_map_frame(page, frame);
        requests = (struct xen_bytes){store->requests, RING, port, &store->request_consumed, &store->request_produced};
        answers = (struct xen_bytes){store->answers, RING, port, &store->answer_consumed, &store->answer_produced};
    }
    return requests.bytes;
}

static void get(void *to, size_t room, size_t size) {
    xen_bytes_get(&answers, to, room, size);
    xen_event_send(answers.port);
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
    while (xen_bytes_any(&answers))
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
    xen_bytes_put(&requests, &head, sizeof head);
    xen_bytes_put(&requests, path, path_size);
    xen_bytes_put(&requests, rest, rest_size);
    xen_event_send(requests.port);
    while (!take_message(&head, room ? answer : text, room ? room : sizeof text - 1))
        ;
    busy = false;
    if (xen_bytes_any(&answers) || noted)
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
        error = xen_event_listen(answers.port, interrupt, NULL);
    watch->next = watches;
    watches = watch;
    if (!error)
        error = ask(XS_WATCH, watch->path, "hull", sizeof "hull", NULL, 0);
    return error < 0 ? error : 0;
}
