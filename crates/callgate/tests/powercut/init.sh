#!/bin/busybox sh
# The guest's first process. What it is to do stands in its environment, put there by the kernel's command line.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o mode=0755 tmpfs /tmp
# They need each other: whoever comes too early comes again.
for round in 1 2 3; do
    for module in /modules/*.ko; do insmod "$module" 2> /dev/null; done
done
until [ -b /dev/vda ] && POWERCUT_PORT=$(ls /dev/vport*p1 2> /dev/null); do sleep 0.05; done
export POWERCUT_PORT
if mount -t ext4 -o "$POWERCUT_MOUNT" /dev/vda /disk; then
    /bin/powercut guest::is_driven_by_its_first_process --exact --ignored --nocapture
else
    echo refused the disk cannot be mounted > "$POWERCUT_PORT"
fi
umount /disk
poweroff -f
