/* Functions: static and global, called by each other, weak, hidden, and by address. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static volatile __u64 sum;

static __noinline int twice(volatile int x)
{
	return x * 2;
}

__noinline int four_times(volatile int x)
{
	return twice(twice(x));
}

__noinline int calls_forth(volatile int x);

__noinline int calls_back(volatile int x)
{
	sum += x;
	return four_times(x) + twice(1);
}

__noinline int calls_forth(volatile int x)
{
	return calls_back(x - 1);
}

__noinline __hidden int hidden_global(volatile int x)
{
	return x + 1;
}

__noinline __weak int weak_global(volatile int x)
{
	return x + 2;
}

static long add(void *map, __u32 *key, __u64 *value, void *ctx)
{
	sum += *value + twice(*key);
	return 0;
}

static long no_use(__u32 index, void *ctx)
{
	return index > 3;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	return four_times(ctx->ingress_ifindex) + calls_forth(1);
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&counts, add, 0, 0);
	bpf_loop(10, no_use, 0, 0);
	return twice(sum) + hidden_global(1) + weak_global(2) + twice(3);
}

SEC("socket")
int calls_nothing(struct __sk_buff *skb)
{
	return 0;
}

char _license[] SEC("license") = "GPL v2";
