"""Try, in the sandbox of the service, what must be denied; print each attempt that succeeded."""

import ctypes
import mmap
import os
import socket
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER_NAMESPACE = 0x10000000
CLONE, MOUNT_BIND, PTRACE_ATTACH, TARGET = 0, 4096, 16, 1


def call(name: str, *arguments: object) -> None:
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def write(path: str) -> None:
    file = Path(path, "probe.tmp")
    file.write_text("x")
    file.unlink()


def executable_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def set_uid_bit(state: str) -> None:
    path = Path(state, "probe.suid")
    path.write_text("x")
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


ATTEMPTS = {
    "write /etc": lambda: write("/etc"),
    "write /usr": lambda: write("/usr/local/bin"),
    "write /opt/vcedge": lambda: write("/opt/vcedge"),
    "write /var/lib": lambda: write("/var/lib"),
    "write /var/log": lambda: write("/var/log"),
    "write /root": lambda: write("/root"),
    "write /home": lambda: write("/home"),
    "write /dev": lambda: write("/dev"),
    "write a control group": lambda: write("/sys/fs/cgroup"),
    "write a kernel setting": lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
    "read the secrets of root": lambda: os.listdir("/etc/vcedge/credentials"),
    "read /etc/shadow": lambda: Path("/etc/shadow").read_text(),
    "read other services' state": lambda: os.listdir("/var/lib/private/vcedge-line2"),
    "see other processes": lambda: Path("/proc/1/status").read_text(),
    "become root": lambda: os.setuid(0),
    "kill the first process": lambda: os.kill(1, 0),
    "change the host name": lambda: socket.sethostname("x"),
    "mount": lambda: call("mount", b"/etc", b"/tmp", None, MOUNT_BIND, None),
    "new user namespace": lambda: call("unshare", NEW_USER_NAMESPACE),
    "trace a process": lambda: call("ptrace", PTRACE_ATTACH, TARGET, None, None),
    "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM),
    "executable memory": executable_memory,
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "a disk": lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)),
    "raise its own limits": lambda: os.nice(-5),
    "set-uid bit": lambda: set_uid_bit(sys.argv[1]),
    "write its state": lambda: write(sys.argv[1]),
    "write a private /tmp": lambda: write("/tmp"),
}


def main() -> None:
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except OSError:
            continue
        print(name)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print("privileges:", status["CapEff"].strip(), status["NoNewPrivs"].strip())


main()
