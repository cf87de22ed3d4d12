"""Runs a command on a loopback network of its own: tests that run side by side then share no port.

usage: own_network.py COMMAND [ARGUMENT...]
"""
import ctypes
import fcntl
import os
import socket
import struct
import sys

# <linux/sched.h>, <linux/sockios.h>, <linux/if.h>
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1


def unshare(what):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(what) != 0:
        code = ctypes.get_errno()
        sys.exit(f"own_network.py: this machine gives no network namespace: {os.strerror(code)}")


def leave_the_network():
    user, group = os.getuid(), os.getgid()
    if user == 0:
        return unshare(CLONE_NEWNET)
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    for file, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                       ("gid_map", f"{group} {group} 1")):  # fmt: skip
        with open("/proc/self/" + file, "w") as out:
            out.write(line)


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    leave_the_network()
    raise_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])
