"""What OBJ_GET_INFO_BY_FD answers: `bpf_map_info`, `bpf_prog_info`, `bpf_btf_info`, `bpf_link_info`.

From linux/bpf.h. A kernel fills in what it knows and says how long that is; older kernels answer less.
"""

from __future__ import annotations

from bpflab.abi.layout import Layout

MAP_INFO = Layout(
    "bpf_map_info",
    "type:I id:I key_size:I value_size:I max_entries:I map_flags:I name:16s ifindex:I "
    "btf_vmlinux_value_type_id:I netns_dev:Q netns_ino:Q btf_id:I btf_key_type_id:I btf_value_type_id:I "
    "btf_vmlinux_id:I map_extra:Q hash:Q hash_size:I",
)

PROG_INFO = Layout(
    "bpf_prog_info",
    "type:I id:I tag:8s jited_prog_len:I xlated_prog_len:I jited_prog_insns:Q xlated_prog_insns:Q load_time:Q "
    "created_by_uid:I nr_map_ids:I map_ids:Q name:16s ifindex:I gpl_compatible:I netns_dev:Q netns_ino:Q "
    "nr_jited_ksyms:I nr_jited_func_lens:I jited_ksyms:Q jited_func_lens:Q btf_id:I func_info_rec_size:I "
    "func_info:Q nr_func_info:I nr_line_info:I line_info:Q jited_line_info:Q nr_jited_line_info:I "
    "line_info_rec_size:I jited_line_info_rec_size:I nr_prog_tags:I prog_tags:Q run_time_ns:Q run_cnt:Q "
    "recursion_misses:Q verified_insns:I attach_btf_obj_id:I attach_btf_id:I",
)

BTF_INFO = Layout("bpf_btf_info", "btf:Q btf_size:I id:I name:Q name_len:I kernel_btf:I")

LINK_INFO = Layout("bpf_link_info", "type:I id:I prog_id:I :4x data:64s")
