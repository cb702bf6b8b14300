/*
 * control.h. Owns the queues of the ports from 2 on, the reassembly of records on each, and which port has stdin. What the host sends for the first process goes through channel_receive, as on the channel
 * itself. VIRTIO 1.2, section 5.3: the device tells on its control queue when the host opens or closes a port.
 */
#include "control/control.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"
#include "input/input.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

#pragma weak input_promised
#pragma weak session_start
#pragma weak session_look
#pragma weak session_input
#pragma weak session_input_end
#pragma weak session_signal
#pragma weak session_resize
#pragma weak session_left
#pragma weak calls_take
#pragma weak calls_room
#pragma weak calls_left

enum { FIRST_PORT = 2, PORTS_MOST = 8, ENTRIES = 4, CONTROL_ENTRIES = 16, CONTROL_RECEIVE = 2, CONFIG_PORTS = 4, EVENT_OPEN = 6, SMALL = 64 };
struct event { uint32_t port; uint16_t event, value; };

struct control_port {
    struct virtqueue receive, send;
    uint8_t *in, *out; /* a page each; `out` is made when it is first needed */
    bool busy;         /* `out` is with the device */
    struct hull_record head;
    uint32_t head_size, payload_size;
    uint8_t payload[SMALL];
    uint8_t *module;   /* of an EXEC or CALL record that is coming */
    bool has_answer;   /* `answer` waits for room */
    uint8_t answer_type;
    uint32_t answer;
    uint32_t credit;   /* of stdin, likewise */
    bool says_credit;
    struct session *session;
};
static struct control_port ports[PORTS_MOST];
static unsigned port_count;
static struct virtqueue events;
static struct event *event_buffers;
static struct control_port *input_port; /* has stdin */

int control_start(struct virtio_device *device) {
    uint32_t most = 0;
    device->transport->config_read(device, CONFIG_PORTS, &most, sizeof most);
    if (most <= FIRST_PORT) return 0;
    int error = virtqueue_create(device, &events, CONTROL_RECEIVE, CONTROL_ENTRIES);
    for (unsigned i = 0; !error && i < most - FIRST_PORT && i < PORTS_MOST; i++) {
        error = virtqueue_create(device, &ports[i].receive, 2 * (FIRST_PORT + i) + 2, ENTRIES);
        if (!error) error = virtqueue_create(device, &ports[i].send, 2 * (FIRST_PORT + i) + 3, ENTRIES);
        if (!error) port_count = i + 1;
    }
    return error;
}

static void offer(struct control_port *port) {
    virtqueue_add(&port->receive, &(struct virtio_buffer){ port->in, PAGE_SIZE }, 0, 1, port->in);
    virtqueue_notify(&port->receive);
}

void control_ready(void (*open_port)(unsigned)) {
    if (!port_count || !(event_buffers = page_alloc())) {
        port_count = 0;
        return;
    }
    for (unsigned i = 0; i < CONTROL_ENTRIES; i++) virtqueue_add(&events, &(struct virtio_buffer){ event_buffers + i, sizeof *event_buffers }, 0, 1, event_buffers + i);
    virtqueue_notify(&events);
    for (unsigned i = 0; i < port_count; i++) open_port(FIRST_PORT + i);
}

/* Interrupts are on from here. */
static void control_begin(void) {
    if (!port_count) return;
    channel_start_input(HULL_FEATURE_CONTROL);
    for (unsigned i = 0; i < port_count; i++)
        if ((ports[i].in = page_alloc())) offer(&ports[i]);
}
HULL_INIT(9, control_begin);

uint8_t *control_place(struct control_port *port) {
    if (port->busy) return NULL;
    if (!port->out && !(port->out = page_alloc())) return NULL;
    return port->out + sizeof(struct hull_record);
}

void control_send_placed(struct control_port *port, uint8_t type, size_t size) {
    struct hull_record head = {HULL_RECORD_MAGIC, type, (uint16_t)size, 0, 0};
    memcpy(port->out, &head, sizeof head);
    if (virtqueue_add(&port->send, &(struct virtio_buffer){ port->out, (uint32_t)(sizeof head + size) }, 1, 0, port->out)) return;
    port->busy = true;
    virtqueue_notify(&port->send);
}

bool control_send(struct control_port *port, uint8_t type, const void *payload, size_t size) {
    uint8_t *place = control_place(port);
    if (!place) return false;
    memcpy(place, payload, size);
    control_send_placed(port, type, size);
    return true;
}

static void look_at(struct control_port *port) {
    if (port->has_answer && control_send(port, port->answer_type, &port->answer, sizeof port->answer)) port->has_answer = false;
    if (port->says_credit && control_send(port, HULL_RECORD_CREDIT, &port->credit, sizeof port->credit)) {
        port->says_credit = false;
        port->credit = 0;
    }
    if (port->session && !port->has_answer) session_look(port->session);
    if (calls_room) calls_room();
}

static void answer(struct control_port *port, uint8_t type, uint32_t value) {
    port->has_answer = true;
    port->answer_type = type;
    port->answer = value;
    look_at(port);
}

void control_session_over(struct control_port *port) { port->session = NULL; }

bool control_credit(uint32_t bytes) {
    if (!port_count) return false;
    if (input_port) {
        input_port->credit += bytes;
        input_port->says_credit = true;
        look_at(input_port);
    }
    return true;
}

static void to_first_process(const struct control_port *port, uint8_t type, const void *payload, size_t size) {
    struct hull_record head = port->head;
    head.type = type;
    head.length = (uint16_t)size;
    channel_receive(&head, sizeof head);
    channel_receive(payload, size);
}

static void start_session(struct control_port *port) {
    int error = -ENOSYS;
    if (port->session) error = -EBUSY;
    else if (!port->module) error = -ENOMEM;
    else if (session_start) port->session = session_start(port, port->module, port->head.length, &error);
    kfree(port->module);
    port->module = NULL;
    if (error) answer(port, HULL_RECORD_STARTED, (uint32_t)-error);
}

static void take_call(struct control_port *port) {
    uint8_t *bytes = port->module;
    port->module = NULL;
    if (calls_take && calls_take(port, bytes, port->head.length)) return;
    kfree(bytes); /* and no answer: the host sees that it was dropped by the next one's */
}

/* What was begun there is void. QEMU (to 10 at least) never gives back a record that a client left half taken. */
static void leave(struct control_port *port) {
    if (port->busy && !virtqueue_take(&port->send, NULL)) virtqueue_forget(&port->send);
    port->busy = false;
    port->has_answer = port->says_credit = false;
    if (input_port == port) input_port = NULL;
    if (port->session) session_left(port->session);
    if (calls_left) calls_left(port);
    if (calls_room) calls_room();
}

static void take_record(struct control_port *port) {
    uint32_t number = 0;
    uint16_t size[2];
    memcpy(&number, port->payload, sizeof number);
    memcpy(size, port->payload, sizeof size);
    switch (port->head.type) {
    case HULL_RECORD_HELLO:
        leave(port);
        answer(port, HULL_RECORD_DONE, number);
        return;
    case HULL_RECORD_EXEC:
        start_session(port);
        return;
    case HULL_RECORD_CALL:
        take_call(port);
        return;
    case HULL_RECORD_ATTACH:
        input_port = port;
        port->credit = input_promised ? input_promised() : 0;
        port->says_credit = true;
        look_at(port);
        return;
    case HULL_RECORD_STDIN_EOF:
        if (port->session) session_input_end(port->session);
        else to_first_process(port, port->head.type, NULL, 0);
        return;
    case HULL_RECORD_SIGNAL:
        if (port->session) session_signal(port->session, (int)number);
        else to_first_process(port, port->head.type, port->payload, port->head.length);
        break;
    case HULL_RECORD_RESIZE:
        if (port->session) session_resize(port->session, size[0], size[1]);
        else to_first_process(port, port->head.type, port->payload, port->head.length);
        break;
    default:
        return;
    }
    if (!port->session) answer(port, HULL_RECORD_DONE, port->head.type);
}

static void take_piece(struct control_port *port, const uint8_t *bytes, size_t size) {
    if (port->head.type == HULL_RECORD_STDIN) {
        if (port->session) session_input(port->session, bytes, size);
        else if (port == input_port) to_first_process(port, HULL_RECORD_STDIN, bytes, size);
    } else if (port->head.type == HULL_RECORD_EXEC || port->head.type == HULL_RECORD_CALL) {
        if (!port->payload_size) port->module = kmalloc(port->head.length);
        if (port->module) memcpy(port->module + port->payload_size, bytes, size);
    } else if (port->payload_size + size <= SMALL) {
        memcpy(port->payload + port->payload_size, bytes, size);
    }
}

static void receive(struct control_port *port, const uint8_t *bytes, size_t size) {
    while (size) {
        if (port->head_size < sizeof port->head) {
            if (port->head_size || *bytes == HULL_RECORD_MAGIC) ((uint8_t *)&port->head)[port->head_size++] = *bytes;
            bytes++;
            size--;
            port->payload_size = 0;
        } else {
            size_t piece = port->head.length - port->payload_size < size ? port->head.length - port->payload_size : size;
            take_piece(port, bytes, piece);
            port->payload_size += (uint32_t)piece;
            bytes += piece;
            size -= piece;
        }
        if (port->head_size == sizeof port->head && port->payload_size == port->head.length) {
            port->head_size = 0;
            take_record(port);
        }
    }
}

/* The host opened or closed a port. */
static void take_event(const struct event *event, uint32_t size) {
    if (size < sizeof *event || event->event != EVENT_OPEN || event->port < FIRST_PORT || event->port - FIRST_PORT >= port_count) return;
    struct control_port *port = &ports[event->port - FIRST_PORT];
    port->head_size = port->payload_size = 0;
    kfree(port->module);
    port->module = NULL;
    if (!event->value) leave(port);
}

static void take_events(void) {
    uint32_t size;
    for (struct event *event; port_count && (event = virtqueue_take(&events, &size));) {
        take_event(event, size);
        virtqueue_add(&events, &(struct virtio_buffer){ event, sizeof *event }, 0, 1, event);
        virtqueue_notify(&events);
    }
}

void control_look(void) {
    uint32_t size;
    take_events();
    for (unsigned i = 0; i < port_count; i++) {
        struct control_port *port = &ports[i];
        while (virtqueue_take(&port->receive, &size)) {
            take_events(); /* a host's coming is told before its first bytes, and may have been after the look above */
            receive(port, port->in, size);
            offer(port);
        }
        if (virtqueue_take(&port->send, NULL)) {
            port->busy = false;
            look_at(port);
        }
    }
}
