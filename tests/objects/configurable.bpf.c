/* A program that its user configures before it is loaded, and reads while it runs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mode { COUNT, DROP };
struct limits {
	__u32 soft;
	__u32 hard;
};

const volatile __u32 max_length = 100;
const volatile enum mode mode = COUNT;
const volatile struct limits limits = { 1, 2 };
__u64 counter;
__s16 last = -1;
char name[8] = "first";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} lengths SEC(".maps");

SEC("xdp")
int measures(struct xdp_md *ctx)
{
	__u32 length = ctx->data_end - ctx->data;
	__u64 one = 1;

	counter++;
	last = length;
	bpf_map_update_elem(&lengths, &length, &one, BPF_ANY);
	return length > max_length && mode == DROP ? XDP_DROP : XDP_PASS;
}

SEC("?xdp")
int optional(struct xdp_md *ctx)
{
	return XDP_ABORTED + limits.hard;
}

char _license[] SEC("license") = "GPL";
