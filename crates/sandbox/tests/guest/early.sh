#!/bin/busybox sh
# The first steps: modules, the disk, and on to what is on it.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# They need each other: whoever comes too early comes again.
for round in 1 2 3; do
    for module in /modules/*.ko; do insmod "$module" 2> /dev/null; done
done
until [ -b /dev/vda ]; do sleep 0.05; done
mount -t ext4 /dev/vda /new
for folder in proc sys dev; do mount --move "/$folder" "/new/$folder"; done
exec switch_root /new /init
