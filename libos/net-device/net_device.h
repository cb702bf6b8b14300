/*
 * Network devices: what lies between a driver (virtio-net, a test's device) and the protocol stack. Owns the list of devices, the buffers that
 * frames arrive in, and the rule of when a device is served: by its interrupt, which is off from then on until there is nothing left to do.
 *
 * Call order: a driver fills a struct net_device (ops, mac, mtu, features, link) and calls net_device_add, at start orders 0 to 6. At order 7 the stack
 * takes the list, sets `stack` and calls ops->start; from then on frames go both ways. A device without a stack receives nothing.
 * Context: everything here runs in calls and bottom halves (the libOS is not preempted), never in interrupt handlers.
 * Frames are Ethernet's (IEEE 802.3), without the frame check sequence.
 */
#ifndef HULL_NET_DEVICE_NET_DEVICE_H
#define HULL_NET_DEVICE_NET_DEVICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wait/wait.h"

struct net_device;

/* ---- Receiving. A buffer is the driver's until it hands it to the stack by net_device_receive, which then owns it and ends it by net_buffer_put. So a
 * driver refills its queue with new ones; where there is no memory for them it goes on with those that it has, and tries again in `poll`. ---- */
enum { NET_BUFFER_ROOM = 1888 }; /* bytes at `room`: a virtio-net header, an Ethernet frame of 1514 bytes and a VLAN tag, with space to align */
struct net_buffer {
    struct net_buffer *next; /* further parts of the same frame */
    uint8_t *data;           /* the part that counts; lies within `room` */
    uint32_t length;
    uint32_t flags;          /* of a frame's first buffer: NET_CHECKED */
    uint64_t stack[13];      /* the stack's own */
    uint8_t room[];          /* NET_BUFFER_ROOM bytes, physically contiguous, 16-byte aligned */
};
enum {
    NET_CHECKED = 1, /* the TCP or UDP checksum is known to be right, or is not filled in since the frame never was on a wire (virtio 1.2, 5.1.6.4: DATA_VALID, NEEDS_CSUM) */
};
struct net_buffer *net_buffer_take(void); /* NULL: out of memory, or of the share of memory that frames may take; data = room, length = 0, next = NULL, flags = 0 */
void net_buffer_put(struct net_buffer *); /* this one, not its `next` */

/* ---- Sending ---- */
enum { NET_FRAME_HEADROOM = 16, NET_FRAME_FRAGMENTS = 46 };
struct net_fragment { void *data; uint32_t size; }; /* physically contiguous, of the direct map or the image */
struct net_frame {
    const struct net_fragment *fragments; /* count: 1..NET_FRAME_FRAGMENTS. The array itself is good during the call only. */
    unsigned count;                       /* The NET_FRAME_HEADROOM bytes before fragments[0].data are the driver's, until `sent`: for its own header */
    uint32_t size;                        /* of all fragments */
    uint16_t checksum_start, checksum_offset; /* with NET_FEATURE_CHECKSUM: sum from byte `start` to the end goes to start + offset, where the pseudo-header's sum is. start 0: nothing to do */
    uint16_t segment_size;                /* with NET_FEATURE_TSO4/6: payload of each segment; 0: one frame */
    uint16_t header_size;                 /* with segment_size: Ethernet + IP + TCP header */
    bool ipv6;                            /* with segment_size: which */
    void *token;                          /* not NULL; goes to stack->sent when the device is done with the fragments */
};

struct net_device_ops {
    /* From now on deliver frames and interrupts. 0 or -errno: the device stays unused. */
    int (*start)(struct net_device *);
    /* Queues a frame; the device may learn of it only with `flush`. 0; -ENOSPC: no place, after net_device_want_room (the frame stays the caller's); other errors: dropped, as if sent:
     * the frame stays the caller's, too. May end sends that are done. */
    int (*transmit)(struct net_device *, const struct net_frame *);
    /* Tells the device of all that transmit queued since the last flush. Called once after a batch. */
    void (*flush)(struct net_device *);
    /* Takes at most `budget` frames that have arrived (net_device_receive for each) and all sends that are done (stack->sent for each), refills the receive
     * queue. The number of frames. */
    unsigned (*poll)(struct net_device *, unsigned budget);
    /* Ends all sends that are done: stack->sent for each. Nothing else would while no frame arrives. May be absent, where transmit ends them at once. */
    void (*collect)(struct net_device *);
    /* A hint whether the device shall interrupt. true after `on`: something has come meanwhile, look again. */
    bool (*interrupts)(struct net_device *, bool on);
    /* May be absent. 0 or -errno. */
    int (*set_mac)(struct net_device *, const uint8_t mac[6]);
    int (*set_promiscuous)(struct net_device *, bool on); /* absent: it lets every frame through that comes its way, as QEMU's without a receive filter does */
};

/* Set by the stack. All are called from within ops->poll only, but `sent`, which ops->collect and ops->transmit call, too, and the last two. */
struct net_stack_ops {
    void (*receive)(struct net_device *, struct net_buffer *frame); /* owns it and its chain */
    void (*sent)(struct net_device *, void *token);                 /* may call neither transmit nor poll */
    void (*room)(struct net_device *);                              /* after -ENOSPC: there is some again */
    void (*link)(struct net_device *);                              /* device->link has changed */
    void (*end_of_batch)(struct net_device *);                      /* by net_device_serve, after the frames of one round and before flush */
    void (*flush)(struct net_device *);                             /* what the stack holds back for more of it to come is to be transmitted: before ops->flush */
};

enum {
    NET_FEATURE_CHECKSUM = 1, /* net_frame.checksum_* work for TCP and UDP over IPv4 and IPv6 */
    NET_FEATURE_TSO4 = 2, NET_FEATURE_TSO6 = 4, /* net_frame.segment_size works, up to `segment_most` bytes; need NET_FEATURE_CHECKSUM */
    NET_FEATURE_RECEIVE_CHECKSUM = 8, /* frames may come with NET_CHECKED */
};
struct net_device {
    const struct net_device_ops *ops;
    void *driver;                   /* the driver's own */
    uint8_t mac[6];
    bool link;                      /* the cable is in; true where the device cannot tell */
    uint16_t mtu;                   /* most bytes of an IP packet (virtio's config field, else 1500) */
    uint32_t features;              /* NET_FEATURE_* */
    uint32_t segment_most;          /* most payload bytes with segment_size; 0: 65535 less headers */
    uint16_t fragments_most;        /* of a frame with segment_size, so that a few of them have place; 0: NET_FRAME_FRAGMENTS */
    /* From here on the stack's and net-device's own. */
    const struct net_stack_ops *stack;
    void *stack_data;
    struct deferred again, flushing;
    bool serving, room_wanted;
    struct net_device *next;
    struct { uint64_t frames_in, bytes_in, dropped_in, errors_in, frames_out, bytes_out, dropped_out, errors_out; } counts; /* the stack counts frames; the driver errors */
};

void net_device_add(struct net_device *);
extern struct net_device *net_devices; /* in the order they were added; NULL: none */

/* By the driver's bottom half (its interrupt's deferred work), and by whoever wants to look without one: serves the device until nothing is left, its interrupts off meanwhile.
 * A long burst is cut: the rest runs at the next safe point. */
void net_device_serve(struct net_device *);
/* By the stack, after transmit: a flush at the next safe point, once for all that is queued until then. Within a round of net_device_serve there is nothing to do. */
void net_device_flush_soon(struct net_device *);
/* By the driver, where transmit has no place: stack->room is called once there is some. */
void net_device_want_room(struct net_device *);
/* By the stack, before it looks at what it has sent: the devices' sends that are done are ended. */
void net_device_collect_all(void);
/* By the driver, in ops->poll. */
static inline void net_device_receive(struct net_device *device, struct net_buffer *frame) { device->stack->receive(device, frame); }
#endif
