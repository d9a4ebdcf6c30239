/* Counters that two CPUs change at once: carelessly, atomically, under a lock, and each its own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct shared {
	struct bpf_spin_lock lock;
	__u32 left;
	__u32 right;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shared);
} pair SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} own SEC(".maps");

__u64 careless_count;
__u64 atomic_count;

SEC("xdp")
int careless(struct xdp_md *ctx)
{
	careless_count = *(volatile __u64 *)&careless_count + 1;
	return XDP_PASS;
}

SEC("xdp")
int atomic(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&atomic_count, 1);
	return XDP_PASS;
}

SEC("xdp")
int locked(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct shared *shared = bpf_map_lookup_elem(&pair, &key);

	if (!shared)
		return XDP_ABORTED;
	bpf_spin_lock(&shared->lock);
	shared->left = *(volatile __u32 *)&shared->left + 1;
	shared->right = *(volatile __u32 *)&shared->right + 1;
	bpf_spin_unlock(&shared->lock);
	return XDP_PASS;
}

SEC("xdp")
int separate(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&own, &key);

	if (count)
		*count = *(volatile __u64 *)count + 1 + bpf_get_smp_processor_id();
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
