"""Gives a process the host name of its container: on this machine all have the same one."""

import os
import socket

if "HOSTNAME" in os.environ:
    socket.gethostname = lambda: os.environ["HOSTNAME"]
    socket.getfqdn = lambda name="": name or os.environ["HOSTNAME"]
