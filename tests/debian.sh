#!/bin/sh
# Installs Debian packages for the tests: sh tests/debian.sh [--known] PACKAGE...
#
# With --known, packages that this release of the system does not have are left out, with a message.
# The tests that need them are skipped, with the reason.
#
# Another apt may be running, as on a machine that has just started and updates itself. apt-get waits
# for one of its three locks only (DPkg::Lock::Timeout; not for those of its lists and downloads), so
# this script retries until all are free.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
HANG_S=600 # as in tests/watchdog.py: a process that holds a lock for that long has hung

apt() {
    begun=$(date +%s)
    waiting=
    until said=$(apt-get -qq "$@" 2>&1); do
        case $said in
        *'Could not get lock'*) ;;
        *) begun=0 ;;
        esac
        if [ $(($(date +%s) - begun)) -gt "$HANG_S" ]; then
            echo "$said" >&2
            return 1
        fi
        [ "$waiting" ] || echo "Waiting for another apt to end: $said" >&2
        waiting=yes
        sleep 1
    done
}

known=
[ "$1" != --known ] || { known=yes && shift; }
apt update
if [ "$known" ]; then
    for name; do
        shift
        if apt-cache show "$name" >/dev/null 2>&1; then
            set -- "$@" "$name"
        else
            echo "There is no package $name for this system: what needs it is not tested" >&2
        fi
    done
fi
[ $# -eq 0 ] || { echo "Installing $* for the tests" && apt install -y --no-install-recommends "$@"; }
