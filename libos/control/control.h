/*
 * Further ports of the console (HULL_FEATURE_CONTROL), where the host comes and goes while the machine runs: signals, window sizes, stdin, and processes that it asks for.
 * Each port carries records (abi/boot_abi.h) both ways; what is sent there is lost while the host is away, and never waited for.
 * Context: bottom halves and calls, which on one CPU never interrupt each other.
 */
#ifndef HULL_CONTROL_CONTROL_H
#define HULL_CONTROL_CONTROL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct virtio_device;
struct control_port;
struct session;
/* For virtio-console, in this order: queues, once the device serves, at each interrupt. */
int control_start(struct virtio_device *device);
void control_ready(void (*open_port)(unsigned port));
void control_look(void);
/* For input: the host may send this many bytes more. False: there are no such ports. */
bool control_credit(uint32_t bytes);

#define CONTROL_PIECE 4080u /* most payload of a record that is sent */
/* A record to the host; false while the one before is not taken: control_room's session_look follows. */
bool control_send(struct control_port *, uint8_t type, const void *payload, size_t size);
/* Where to put a payload of up to CONTROL_PIECE bytes for control_send_placed; NULL while the one before is not taken. */
uint8_t *control_place(struct control_port *);
void control_send_placed(struct control_port *, uint8_t type, size_t size);

/* By the component exec-session, met by weak references. A session has its port until session_look has sent its end, or the host has left. */
struct session *session_start(struct control_port *, const uint8_t *module, size_t size, int *error);
void session_look(struct session *);  /* the port has room */
void session_input(struct session *, const void *bytes, size_t size);
void session_input_end(struct session *);
void session_signal(struct session *, int number);
void session_resize(struct session *, uint16_t rows, uint16_t columns);
void session_left(struct session *);  /* the host has left the port, which is another's then */
void control_session_over(struct control_port *);

/* By the component host-calls, likewise. calls_take: the bytes (of kmalloc, or NULL when there was no room) are taken over; false: they are not. */
bool calls_take(struct control_port *, uint8_t *bytes, size_t size);
void calls_room(void);                       /* some port has room */
void calls_left(struct control_port *);      /* the host has left the port */
void calls_hold(void);                       /* for `exec`, before the program; does not return with HULL_FLAG_HOLD */
#endif
