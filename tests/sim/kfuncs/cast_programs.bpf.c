#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_kfuncs.h>

struct net_device {
	unsigned int mtu;
	int ifindex;
} __attribute__((preserve_access_index));

struct xdp_rxq_info {
	struct net_device *dev;
} __attribute__((preserve_access_index));

struct xdp_buff {
	void *data, *data_end, *data_meta;
	struct xdp_rxq_info *rxq;
} __attribute__((preserve_access_index));

struct sk_buff {
	unsigned int len, data_len;
	__u16 mac_len, mac_header, network_header;
	__be16 protocol;
	__u32 mark, priority;
	unsigned char *head, *data;
	struct net_device *dev;
} __attribute__((preserve_access_index));

struct ethhdr___kernel {
	unsigned char h_dest[6], h_source[6];
	__be16 h_proto;
} __attribute__((preserve_access_index));

__u64 seen[12];

SEC("xdp")
int of_frame(struct xdp_md *ctx)
{
	struct xdp_buff *xdp = bpf_cast_to_kern_ctx(ctx);

	seen[0] = xdp->data_end - xdp->data;
	seen[1] = xdp->data - xdp->data_meta;
	seen[2] = xdp->rxq->dev->ifindex;
	seen[3] = xdp->rxq->dev->mtu;
	return XDP_PASS;
}

SEC("tc")
int of_packet(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	struct ethhdr___kernel *eth;

	eth = bpf_rdonly_cast(skb->head + skb->mac_header, bpf_core_type_id_kernel(struct ethhdr___kernel));
	seen[0] = skb->len;
	seen[1] = skb->data_len;
	seen[2] = skb->protocol;
	seen[3] = skb->mark;
	seen[4] = skb->priority;
	seen[5] = skb->network_header - skb->mac_header;
	seen[6] = skb->dev->ifindex;
	seen[7] = eth->h_proto;
	seen[8] = eth->h_dest[1];
	seen[9] = skb->data - skb->head - skb->mac_header;
	eth = bpf_rdonly_cast(NULL, bpf_core_type_id_kernel(struct ethhdr___kernel));
	seen[10] = eth->h_proto;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
