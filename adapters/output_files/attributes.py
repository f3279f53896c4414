"""Copying owner, mode and extended attributes of a file to the file that will replace it."""

from __future__ import annotations

import os
import stat
from errno import ENOTSUP


def made_alike(new: int, existing: int) -> bool:
    """Copy everything but the content of an existing file to a new one; both are descriptors.

    Access control lists are among the extended attributes. Return False if something cannot be
    copied.
    """
    wanted, found = os.fstat(existing), os.fstat(new)
    try:
        if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
            os.fchown(new, wanted.st_uid, wanted.st_gid)
        _copy_attributes(new, existing)
        os.fchmod(new, stat.S_IMODE(wanted.st_mode))
    except OSError:
        return False
    return True


def _copy_attributes(new: int, existing: int) -> None:
    wanted, found = _attributes(existing), _attributes(new)
    for name in found.keys() - wanted.keys():
        os.removexattr(new, name)
    for name, value in wanted.items():
        if found.get(name) != value:
            os.setxattr(new, name, value)


def _attributes(descriptor: int) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {name: os.getxattr(descriptor, name) for name in os.listxattr(descriptor)}
    except OSError as error:
        if error.errno == ENOTSUP:
            return {}
        raise
