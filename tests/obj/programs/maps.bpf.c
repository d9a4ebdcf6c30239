/* Every field that a BTF-defined map can have, inner maps, and initial values. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	__u32 left;
	__u16 right;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_COMMON_LRU);
	__uint(numa_node, 3);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, struct pair);
	__type(value, __u64);
} typed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1000);
	__uint(value_size, 12);
	__ulong(map_extra, 5);
} sized SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct pair);
} one SEC(".maps"), two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &one, [2] = &two },
};

int target(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = {
	.values = { [1] = &target },
};

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	struct pair key = { 1, 2 };
	void *found = bpf_map_lookup_elem(&typed, &key);

	bpf_tail_call(ctx, &jumps, 1);
	return found ? 1 : 0;
}

SEC("xdp")
int target(struct xdp_md *ctx)
{
	return 2;
}
