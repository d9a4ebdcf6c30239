"""The attr of each command of bpf(2): `union bpf_attr` in linux/bpf.h.

Each layout ends with the last field that its command knows: the kernel rejects bytes past it that are
not zero, and takes shorter attrs as filled up with zeros. Layouts hold fields up to Linux 7.2.
"""

from __future__ import annotations

from bpflab.abi.commands import Command
from bpflab.abi.layout import Layout

ELEM = "map_fd:I key:Q value|next_key:Q flags:Q"
ELEM_BY_KEY = "map_fd:I key:Q"
BATCH = "in_batch:Q out_batch:Q keys:Q values:Q count:I map_fd:I elem_flags:Q flags:Q"
OBJECT_ID = "start_id|prog_id|map_id|btf_id|link_id:I next_id:I open_flags:I fd_by_id_token_fd:i"
PIN = "pathname:Q bpf_fd:I file_flags:I path_fd:i"
ATTACH = (
    "target_fd|target_ifindex:I attach_bpf_fd:I attach_type:I attach_flags:I replace_bpf_fd:I "
    "relative_fd|relative_id:I expected_revision:Q"
)

TEXT = {
    Command.MAP_CREATE: (
        "map_type:I key_size:I value_size:I max_entries:I map_flags:I inner_map_fd:I numa_node:I map_name:16s "
        "map_ifindex:I btf_fd:I btf_key_type_id:I btf_value_type_id:I btf_vmlinux_value_type_id:I map_extra:Q "
        "value_type_btf_obj_fd:i map_token_fd:i excl_prog_hash:Q excl_prog_hash_size:I"
    ),
    Command.MAP_LOOKUP_ELEM: ELEM,
    Command.MAP_UPDATE_ELEM: ELEM,
    Command.MAP_DELETE_ELEM: ELEM_BY_KEY,
    Command.MAP_GET_NEXT_KEY: "map_fd:I key:Q next_key:Q",
    Command.MAP_LOOKUP_AND_DELETE_ELEM: ELEM,
    Command.MAP_FREEZE: "map_fd:I",
    Command.MAP_LOOKUP_BATCH: BATCH,
    Command.MAP_LOOKUP_AND_DELETE_BATCH: BATCH,
    Command.MAP_UPDATE_BATCH: BATCH,
    Command.MAP_DELETE_BATCH: BATCH,
    Command.PROG_LOAD: (
        "prog_type:I insn_cnt:I insns:Q license:Q log_level:I log_size:I log_buf:Q kern_version:I prog_flags:I "
        "prog_name:16s prog_ifindex:I expected_attach_type:I prog_btf_fd:I func_info_rec_size:I func_info:Q "
        "func_info_cnt:I line_info_rec_size:I line_info:Q line_info_cnt:I attach_btf_id:I "
        "attach_prog_fd|attach_btf_obj_fd:I core_relo_cnt:I fd_array:Q core_relos:Q core_relo_rec_size:I "
        "log_true_size:I prog_token_fd:i fd_array_cnt:I signature:Q signature_size:I keyring_id:i"
    ),
    Command.OBJ_PIN: PIN,
    Command.OBJ_GET: PIN,
    Command.PROG_ATTACH: ATTACH,
    Command.PROG_DETACH: ATTACH,
    Command.PROG_TEST_RUN: (
        "prog_fd:I retval:I data_size_in:I data_size_out:I data_in:Q data_out:Q repeat:I duration:I "
        "ctx_size_in:I ctx_size_out:I ctx_in:Q ctx_out:Q flags:I cpu:I batch_size:I"
    ),
    Command.PROG_GET_NEXT_ID: OBJECT_ID,
    Command.MAP_GET_NEXT_ID: OBJECT_ID,
    Command.BTF_GET_NEXT_ID: OBJECT_ID,
    Command.LINK_GET_NEXT_ID: OBJECT_ID,
    Command.PROG_GET_FD_BY_ID: OBJECT_ID,
    Command.MAP_GET_FD_BY_ID: OBJECT_ID,
    Command.BTF_GET_FD_BY_ID: OBJECT_ID,
    Command.LINK_GET_FD_BY_ID: OBJECT_ID,
    Command.OBJ_GET_INFO_BY_FD: "bpf_fd:I info_len:I info:Q",
    Command.PROG_QUERY: (
        "target_fd|target_ifindex:I attach_type:I query_flags:I attach_flags:I prog_ids:Q prog_cnt|count:I "
        ":4x prog_attach_flags:Q link_ids:Q link_attach_flags:Q revision:Q"
    ),
    Command.RAW_TRACEPOINT_OPEN: "name:Q prog_fd:I :4x cookie:Q",
    Command.BTF_LOAD: (
        "btf:Q btf_log_buf:Q btf_size:I btf_log_size:I btf_log_level:I btf_log_true_size:I btf_flags:I btf_token_fd:i"
    ),
    Command.TASK_FD_QUERY: "pid:I fd:I flags:I buf_len:I buf:Q prog_id:I fd_type:I probe_offset:Q probe_addr:Q",
    Command.LINK_CREATE: "prog_fd|map_fd:I target_fd|target_ifindex:I attach_type:I flags:I",
    Command.LINK_UPDATE: "link_fd:I new_prog_fd|new_map_fd:I flags:I old_prog_fd|old_map_fd:I",
    Command.ENABLE_STATS: "type:I",
    Command.ITER_CREATE: "link_fd:I flags:I",
    Command.LINK_DETACH: "link_fd:I",
    Command.PROG_BIND_MAP: "prog_fd:I map_fd:I flags:I",
    Command.TOKEN_CREATE: "flags:I bpffs_fd:I",
    Command.PROG_STREAM_READ_BY_FD: "stream_buf:Q stream_buf_len:I stream_id:I prog_fd:I",
    Command.PROG_ASSOC_STRUCT_OPS: "map_fd:I prog_fd:I flags:I",
}

LINK_CREATE_TAIL = {
    "btf_id": "target_btf_id:I",
    "iter": "iter_info:Q iter_info_len:I",
    "perf_event": "bpf_cookie:Q",
    "kprobe_multi": "multi_flags:I cnt:I syms:Q addrs:Q cookies:Q",
    "tracing": "target_btf_id:I cookie:Q",
    "netfilter": "pf:I hooknum:I priority:i netfilter_flags:I",
    "relative": "relative_fd|relative_id:I expected_revision:Q",
    "uprobe_multi": "path:Q offsets:Q ref_ctr_offsets:Q cookies:Q cnt:I multi_flags:I pid:I path_fd:I",
}
"""What follows the common part of LINK_CREATE, by the kind of link; the union starts at byte 16."""

LAYOUTS = {command: Layout(command.name, text) for command, text in TEXT.items()}
"""The attr layout of every command, in the host's byte order."""

LINK_CREATE_LAYOUTS = {
    kind: Layout(f"LINK_CREATE ({kind})", f"{TEXT[Command.LINK_CREATE]} {tail}")
    for kind, tail in LINK_CREATE_TAIL.items()
}
"""The whole attr of LINK_CREATE for each kind of link. Union parts with a u64 first start 8-aligned at 16."""
