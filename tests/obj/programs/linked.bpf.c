/* Several programs in a section and in an object, static and global functions in .text, calls and a callback. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __u64 sum;

static __noinline int twice(int x)
{
	barrier_var(x);
	return x * 2;
}

__noinline int four_times(int x)
{
	return twice(twice(x));
}

__noinline int __hidden hidden_global(int x)
{
	barrier_var(x);
	return x + 1;
}

static long add(void *map, __u32 *key, __u64 *value, void *ctx)
{
	sum += *value;
	return 0;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	return four_times(ctx->ingress_ifindex);
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&counts, add, 0, 0);
	return twice(sum) + hidden_global(1);
}

SEC("?tcx/ingress")
int third(struct __sk_buff *skb)
{
	return 7;
}

SEC("no_such_type")
int fourth(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
__u32 VERSION SEC("version") = KERNEL_VERSION(5, 4, 1);
