/*
 * The toolstack's requests by xenstore (docs/misc/xenstore-paths.pandoc, control/shutdown): each is acknowledged by an empty value. "poweroff", "halt" and "reboot" are the signal SIGTERM for
 * the first process, as a container's end is; a domain that was asked to restart ends as one that shall. Nothing here can be suspended: nobody is told that it could, and a request is refused.
 */
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"
#include "lib/string.h"
#include "syscall/errno.h"
#include "xen-store/xen_store.h"
#include "xen/xen.h"

#define SIGTERM 15
#define PATH "control/shutdown"

static void look(void) {
    char wish[16];
    if (xen_store_read(PATH, wish, sizeof wish) <= 0)
        return;
    xen_store_write(PATH, "");
    if (!strcmp(wish, "reboot"))
        xen_end_restarts = true;
    else if (strcmp(wish, "poweroff") && strcmp(wish, "halt")) {
        log_line("xen-control: \"%s\" is not supported", wish);
        return;
    }
    const uint32_t number = SIGTERM;
    if (!channel_hand_on(HULL_RECORD_SIGNAL, &number, sizeof number))
        machine_end(SIGTERM); /* nobody here knows signals */
}

static void xen_control_start(void) {
    static struct xen_store_watch watch = {PATH, look, NULL};
    if (!xen_present() || xen_store_watch(&watch))
        return;
    xen_store_write("control/feature-poweroff", "1");
    xen_store_write("control/feature-reboot", "1");
}
HULL_INIT(9, xen_control_start);
