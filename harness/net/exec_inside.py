"""Replaces itself by a command inside a network namespace.

A program by itself, run by its path with `python -I -S` (10 ms): `exec_inside.py DESCRIPTOR COMMAND...`. A step of
its own, because a namespace entered between fork and exec would be entered by the parent's threads too, and a
parent-death signal would hang on the thread that forked.
"""

import ctypes
import os
import sys

CLONE_NEWNET = 0x4000_0000
EXIT_BED = 5
EXIT_NO_COMMAND = 127

descriptor = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(descriptor, CLONE_NEWNET) != 0:
    sys.stderr.write(f"pushlab: cannot enter the host's network namespace: {os.strerror(ctypes.get_errno())}\n")
    sys.exit(EXIT_BED)
os.close(descriptor)
try:
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - a list of arguments, no shell
except OSError as error:
    sys.stderr.write(f"pushlab: cannot run {sys.argv[2]}: {error.strerror}\n")
    sys.exit(EXIT_NO_COMMAND)
