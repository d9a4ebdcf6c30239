"""Open files of the simulated world: `struct file` with a path, a chain of directory entries, and an inode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpflab.sim.structs import KernelStruct
    from bpflab.sim.world import World


def open_file(world: World, name: str, inode: dict[str, Any], fields: dict[str, Any]) -> KernelStruct:
    """Lay out a file of a full name, such as `/etc/passwd`, and note its name for d_path."""
    node = world.struct("inode", **inode)
    entry = _entry(world, "/", None)
    for part in name.strip("/").split("/"):
        entry = _entry(world, part, entry)
    entry.fill({"d_inode": node})
    made = world.struct("file", f_inode=node, **fields)
    made.f_path.fill({"dentry": entry})
    world.paths[made.f_path.address] = name
    return made


def _entry(world: World, name: str, above: KernelStruct | None) -> KernelStruct:
    made = world.struct("dentry", d_name={"name": name, "len": len(name.encode())})
    made.fill({"d_parent": above if above is not None else made})
    return made
