/* What the headers offer, each macro once. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

static char text[64];

SEC("xdp")
int prints(struct xdp_md *ctx)
{
	struct ethhdr eth;
	uint32_t length = ctx->data_end - ctx->data;

	memset(&eth, 0, sizeof(eth));
	bpf_printk("nothing");
	bpf_printk("one %d", length);
	bpf_printk("five %d %d %d %d %d", length, 1, 2, 3, 4);
	BPF_SNPRINTF(text, sizeof(text), "%d and %d", length, 1);
	bpf_tail_call_static(ctx, &jumps, 1);
	return eth.h_proto == bpf_htons(ETH_P_IP) ? bpf_ntohl(0x01020304) : __bpf_constant_htons(0x1234);
}

SEC("kprobe/vfs_read")
int BPF_KPROBE(entered, void *file, char *buffer, size_t count)
{
	return count && file != buffer;
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(left, long read)
{
	return read > 0;
}

SEC("fentry.s/vfs_read")
int BPF_PROG(traced, void *file, char *buffer, size_t count)
{
	return count && file != buffer;
}

char LICENSE[] SEC("license") = "GPL";
