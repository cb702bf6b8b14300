/* Private to channel. */
#ifndef HULL_CHANNEL_INTERNAL_H
#define HULL_CHANNEL_INTERNAL_H
struct channel_transport;
extern const struct channel_transport *channel_transport; /* NULL until one is attached */
#endif
