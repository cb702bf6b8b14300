#!/bin/sh
# Run by QEMU with the name of the tap device that it has made: puts it on the bridge that hull names. The device goes with QEMU.
exec ip link set dev "$1" up master "$HULL_BRIDGE"
