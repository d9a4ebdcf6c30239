/* Maps of the old kind, without BTF. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def old_hash SEC("maps") = { BPF_MAP_TYPE_HASH, 4, 8, 32, BPF_F_NO_PREALLOC };
struct bpf_map_def old_array SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 16, 2 };

SEC("socket")
int uses(struct __sk_buff *skb)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&old_array, &key) || bpf_map_lookup_elem(&old_hash, &key);
}
