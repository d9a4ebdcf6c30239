"""Flags of the commands of bpf(2), from linux/bpf.h.

A flag of a helper stands in `helper_flags`. Members are named as in the kernel without BPF_F_.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class MapFlag(IntFlag):
    """How a map is made and may be used: `map_flags` of MAP_CREATE."""

    NO_PREALLOC = 1 << 0
    """Take memory for an element when it is inserted, not when the map is made."""
    NO_COMMON_LRU = 1 << 1
    """A list of least recently used elements per CPU instead of one for all."""
    NUMA_NODE = 1 << 2
    """`numa_node` of the attr is set."""
    RDONLY = 1 << 3
    """The system call may not write through this fd."""
    WRONLY = 1 << 4
    """The system call may not read through this fd."""
    STACK_BUILD_ID = 1 << 5
    """Stack traces hold build id and offset instead of addresses."""
    ZERO_SEED = 1 << 6
    """Hash with seed 0, so that the order of keys repeats; for tests."""
    RDONLY_PROG = 1 << 7
    """Programs may not write to values."""
    WRONLY_PROG = 1 << 8
    """Programs may not read values."""
    CLONE = 1 << 9
    """Socket storage is copied from a listener to the sockets it accepts."""
    MMAPABLE = 1 << 10
    """The values can be mapped into memory."""
    PRESERVE_ELEMS = 1 << 11
    """Perf events stay in the array when the fd that put them there is closed."""
    INNER_MAP = 1 << 12
    """An array that may replace an inner map with another number of entries."""
    LINK = 1 << 13
    """A STRUCT_OPS map that is registered by a link instead of by an update."""
    PATH_FD = 1 << 14
    """For OBJ_PIN and OBJ_GET: `path_fd` of the attr is set; listed here because the bits are shared."""
    VTYPE_BTF_OBJ_FD = 1 << 15
    """`value_type_btf_obj_fd` of the attr is set."""
    TOKEN_FD = 1 << 16
    """`map_token_fd` of the attr is set."""
    SEGV_ON_FAULT = 1 << 17
    """A touch of an absent arena page from user space is SIGSEGV, not a new page."""
    NO_USER_CONV = 1 << 18
    """Arena pointers are stored as the program holds them, not as user space sees them."""
    RB_OVERWRITE = 1 << 19
    """A full ring buffer drops its oldest records instead of refusing new ones."""


class UpdateFlag(IntFlag):
    """When an update or lookup of an element holds: `flags` of the MAP_*_ELEM commands."""

    ANY = 0
    """Insert the element or replace it."""
    NOEXIST = 1
    """Insert only; EEXIST if the key is there."""
    EXIST = 2
    """Replace only; ENOENT if the key is not there."""
    LOCK = 4
    """Hold the value's spin lock while copying it."""
    CPU = 8
    """A per-CPU map: only the CPU whose number stands in the upper 32 bits of the flags."""
    ALL_CPUS = 16
    """A per-CPU map: one value for all CPUs."""


class ProgFlag(IntFlag):
    """How a program is checked and may be used: `prog_flags` of PROG_LOAD."""

    STRICT_ALIGNMENT = 1 << 0
    """Refuse unaligned access, whatever the machine can do."""
    ANY_ALIGNMENT = 1 << 1
    """Do not check alignment, whatever the machine can do."""
    TEST_RND_HI32 = 1 << 2
    """Fill the upper half of registers with noise after 32-bit definitions; tests the verifier."""
    TEST_STATE_FREQ = 1 << 3
    """Save the verifier's state more often; tests the verifier."""
    SLEEPABLE = 1 << 4
    """The program runs where it may sleep."""
    XDP_HAS_FRAGS = 1 << 5
    """The XDP program knows packets of several fragments."""
    XDP_DEV_BOUND_ONLY = 1 << 6
    """The XDP program runs on one device only, and may use its metadata."""
    TEST_REG_INVARIANTS = 1 << 7
    """Fail when the verifier's bounds of a register contradict each other; tests the verifier."""
    TOKEN_FD = 1 << 16
    """`prog_token_fd` of the attr is set."""


class RunFlag(IntFlag):
    """How a test run goes: `test.flags` of PROG_TEST_RUN, named without BPF_F_TEST_."""

    RUN_ON_CPU = 1 << 0
    """Run on the CPU named by `test.cpu`; RAW_TRACEPOINT programs only."""
    XDP_LIVE_FRAMES = 1 << 1
    """Let the verdict happen: frames are sent, redirected or passed to the stack."""
    SKB_CHECKSUM_COMPLETE = 1 << 2
    """Give the skb a CHECKSUM_COMPLETE sum and check it after the run."""


class AttachFlag(IntFlag):
    """How a program joins those already attached: `attach_flags` of PROG_ATTACH, flags of tcx links."""

    ALLOW_OVERRIDE = 1 << 0
    """A cgroup below may put its own program in the place of this one."""
    ALLOW_MULTI = 1 << 1
    """Programs of this cgroup and of those below it all run."""
    REPLACE = 1 << 2
    """Put the program in the place of `replace_bpf_fd`."""
    BEFORE = 1 << 3
    """Insert before the program or link named by `relative_fd` or `relative_id`."""
    AFTER = 1 << 4
    """Insert after the program or link named by `relative_fd` or `relative_id`."""
    ID = 1 << 5
    """The relative one is named by its id, not by a file descriptor."""
    PREORDER = 1 << 6
    """Run before the programs of the cgroups below."""
    LINK = 1 << 13
    """The relative one is a link, not a program."""


class QueryFlag(IntFlag):
    """What PROG_QUERY lists: `query.query_flags`."""

    EFFECTIVE = 1 << 0
    """Also the programs that a cgroup inherits from those above it."""


class FileFlag(IntFlag):
    """How an fd may be used: `file_flags` of OBJ_PIN and OBJ_GET, `open_flags` of *_GET_FD_BY_ID."""

    RDONLY = 1 << 3
    """The map can be read by the system call, not written."""
    WRONLY = 1 << 4
    """The map can be written by the system call, not read."""
    PATH_FD = 1 << 14
    """The path starts at the directory `path_fd`."""


class KprobeMultiFlag(IntFlag):
    """`kprobe_multi.flags` of LINK_CREATE, named without BPF_F_KPROBE_MULTI_."""

    RETURN = 1 << 0
    """Run when the functions return instead of when they are entered."""


class UprobeMultiFlag(IntFlag):
    """`uprobe_multi.flags` of LINK_CREATE, named without BPF_F_UPROBE_MULTI_."""

    RETURN = 1 << 0
    """Run when the functions return instead of when they are entered."""
    PATH_FD = 1 << 1
    """The path starts at the directory `path_fd`."""


class NetfilterFlag(IntFlag):
    """`netfilter.flags` of LINK_CREATE, named without BPF_F_NETFILTER_."""

    IP_DEFRAG = 1 << 0
    """Reassemble IP fragments before the program sees the packet."""


class XdpAttachFlag(IntFlag):
    """`flags` of an XDP link and IFLA_XDP_FLAGS of netlink, from linux/if_link.h without XDP_FLAGS_."""

    UPDATE_IF_NOEXIST = 1 << 0
    """EBUSY when a program is attached already."""
    SKB_MODE = 1 << 1
    """Generic XDP: after the driver has made an skb."""
    DRV_MODE = 1 << 2
    """Native XDP: in the driver."""
    HW_MODE = 1 << 3
    """Offloaded XDP: in the network card."""
    REPLACE = 1 << 4
    """Put the program in the place of IFLA_XDP_EXPECTED_FD; netlink only."""


class RingbufFlag(IntFlag):
    """Whether a record wakes the consumer, and bits of a record's header; named without BPF_RB_.

    The header bits stand in the length word of the record (linux/bpf.h, BPF_RINGBUF_*).
    """

    NO_WAKEUP = 1 << 0
    """Do not wake the consumer."""
    FORCE_WAKEUP = 1 << 1
    """Wake the consumer even if it has not caught up."""
    DISCARD_BIT = 1 << 30
    """Header: the producer gave the record up; skip it."""
    BUSY_BIT = 1 << 31
    """Header: the producer has not finished the record; wait."""


RINGBUF_HEADER_SIZE = 8
"""Bytes of the header before each record of a ring buffer."""


class StatsType(IntEnum):
    """What ENABLE_STATS turns on, named without BPF_STATS_."""

    RUN_TIME = 0
    """Run time and number of runs of every program."""


class ProgStream(IntEnum):
    """The texts that a program writes for PROG_STREAM_READ_BY_FD."""

    STDOUT = 1
    STDERR = 2
