/* Programs that say in their source what is expected of them. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpflab.h>

const struct ethhdr ipv4_frame = { .h_proto = bpf_htons(ETH_P_IP) };
const struct ethhdr arp_frame = { .h_proto = bpf_htons(ETH_P_ARP) };

SEC("xdp") __expect(ipv4_frame, XDP_PASS) __expect(arp_frame, XDP_DROP) __describe("IPv4 passes, ARP does not")
int only_ipv4(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	return eth->h_proto == bpf_htons(ETH_P_IP) ? XDP_PASS : XDP_DROP;
}

SEC("xdp") __expect_loads __expect_retval(64)
int length(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

SEC("xdp") __expect_refused __expect_log("invalid access to packet")
int unchecked(struct xdp_md *ctx)
{
	return *(volatile char *)(long)ctx->data;
}

/* As the kernel's own test programs write it, with a counter. */
SEC("socket")
__attribute__((btf_decl_tag("comment:3:test_expect_msg=0: R1=ctx")))
__attribute__((btf_decl_tag("comment:5:test_expect_msg={{R0.*=7}}")))
__attribute__((btf_decl_tag("comment:7:test_retval=7")))
__attribute__((btf_decl_tag("comment:8:test_expect_success")))
int seven(struct __sk_buff *ctx)
{
	return 7;
}

SEC("xdp") __expect(ipv4_frame, XDP_DROP)
int wrong_verdict(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp") __expect_refused
int wrong_hope(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int says_nothing(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
