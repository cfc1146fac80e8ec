#!/bin/sh
# The guest once its disk is there. As the first process it runs the parts that /tests/parts lists and reports over the
# second serial line. `init in PLACE COMMAND...` runs a command in a place among the control groups.
export PATH=/usr/bin:/usr/sbin CI=true CALLGATE_GUEST=true
# What a guest cannot show to succeed outside a sandbox: it has neither groups of version 1 nor a processor to lend, and
# newer kernels let nobody write to protected memory.
export CALLGATE_UNPROVABLE="the release agent;virtual machines;one's own memory past its protection"
groups=/sys/fs/cgroup
user=4242

# make GROUP OWNER
make() {
    mkdir -p "$groups/$1"
    chown "$2:$2" "$groups/$1" "$groups/$1"/cgroup.procs "$groups/$1"/cgroup.threads "$groups/$1"/cgroup.subtree_control
}

# As systemd marks what it hands over.
mark() {
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.delegate", b"1")' "$groups/$1"
}

enter() {
    echo $$ > "$groups/$1/cgroup.procs"
}

# Nobody's child, for whoever comes from the supervisor is one of its own.
stranger() {
    (sh -c 'echo $$ > "$1/cgroup.procs"; exec sleep 100000' - "$groups/$1" > /dev/null 2>&1 &)
    until grep -q . "$groups/$1/cgroup.procs"; do sleep 0.05; done
}

# contained ACCESS COMMAND...: where nobody manages groups, and one's own is the top of those that can be seen.
contained() {
    access=$1
    shift
    exec unshare --cgroup --mount sh -ec '
        mount -t tmpfs tmpfs /run
        umount /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        mount -o "remount,bind,$1" /sys/fs/cgroup
        shift
        exec "$@"' - "$access" "$@"
}

run_in() {
    place=$1
    shift
    case $place in
        top) exec unshare --mount sh -ec 'mount -t tmpfs tmpfs /run; exec "$@"' - "$@" ;;
        # A unit that is handed over, whose processes are in a leaf of it.
        handed) make handed $user; mark handed; make handed/leaf $user; enter handed/leaf ;;
        # The same, as the system makes it by itself: they are in the unit.
        alone-root) make alone-root 0; mark alone-root; enter alone-root ;;
        alone-user) make alone-user $user; mark alone-user; enter alone-user ;;
        crowded) make crowded $user; mark crowded; stranger crowded; enter crowded ;;
        # A session that nothing is handed over to.
        none) make none 0; make none/leaf 0; enter none/leaf ;;
        # A user's own manager has its units beside each other.
        slice) make slice $user; echo +memory +pids > $groups/slice/cgroup.subtree_control; make slice/leaf 0; enter slice/leaf ;;
        container) make container $user; enter container; contained rw "$@" ;;
        container-crowded) make crowd $user; stranger crowd; enter crowd; contained rw "$@" ;;
        container-read-only) make sealed $user; enter sealed; contained ro "$@" ;;
        *) echo "no such place: $place"; exit 64 ;;
    esac
    exec "$@"
}

if [ "${1:-}" = in ]; then
    shift
    run_in "$@"
fi

seconds() {
    cut -d . -f 1 /proc/uptime
}

mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /dev/shm /dev/pts /run/systemd/system
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
mount -t cgroup2 cgroup2 $groups
busybox ip link set lo up
ulimit -n 65536
stty raw -echo < /dev/ttyS1
exec > /dev/ttyS1 2>&1
echo "@booted $(uname -r) $(seconds)"
while IFS='|' read -r place name command; do
    begun=$(seconds)
    echo "@part $name"
    # In words, as the list has them.
    set -- $command
    program=$1
    shift
    # Nothing here may read the list.
    sh /init in "$place" "/tests/$program" "$@" --include-ignored < /dev/null
    echo "@end $? $(($(seconds) - begun)) $name"
    [ "$place" != top ] || echo +memory +pids > $groups/cgroup.subtree_control
done < /tests/parts
echo "@done"
busybox poweroff -f
