/* Maps that begin with maps and programs in them, and templates without a name. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} one SEC(".maps"), two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &one, [2] = &two },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 5);
	__uint(key_size, 4);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__uint(max_entries, 9);
		__uint(map_flags, BPF_F_NO_PREALLOC);
		__type(key, __u64);
		__type(value, char[3]);
	});
} without_values SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_RINGBUF);
		__uint(max_entries, 6000);
	});
} rings SEC(".maps");

int on_ip(struct xdp_md *ctx);
int on_arp(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = {
	.values = { [1] = &on_arp, [3] = &on_ip },
};

SEC("xdp")
int enter(struct xdp_md *ctx)
{
	__u32 at = 2, key = 1;
	void *found = bpf_map_lookup_elem(&outer, &at);
	__u64 *value = found ? bpf_map_lookup_elem(found, &key) : 0;

	bpf_tail_call(ctx, &jumps, 1);
	return value ? *value : XDP_PASS;
}

SEC("xdp")
int on_ip(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int on_arp(struct xdp_md *ctx)
{
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
