/* SPDX-License-Identifier: MIT
 * Which flow a packet belongs to, as far as a sampler asks.
 */
#ifndef SAMPLER_FLOW_H
#define SAMPLER_FLOW_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "sampler.h"

#define MAX_TAGS 2
#define IP_OFFSET 0x1fff

struct ports {
	__be16 source;
	__be16 destination;
};

struct flow {
	__u32 hash;
	__be16 port;
	__u8 protocol;
	__u8 version;
};

struct cursor {
	void *at;
	void *end;
};

static __always_inline void *take(struct cursor *cursor, const __u64 size)
{
	void *header = cursor->at;

	if (header + size > cursor->end)
		return 0;
	cursor->at = header + size;
	return header;
}

static __always_inline __u32 scramble(__u32 word)
{
	word = (word ^ word >> 16) * 0x7feb352d;
	word = (word ^ word >> 15) * 0x846ca68b;
	return word ^ word >> 16;
}

/* Both ends count alike, so that a flow has one hash in both directions. */
static __always_inline __u32 end_of_flow(const __be32 *address, const int words, __be16 port)
{
	__u32 hash = port;

	for (int i = 0; i < words; i++)
		hash = scramble(hash ^ address[i]);
	return hash;
}

static __always_inline void read_ports(struct cursor *cursor, struct flow *flow, struct ports *ports)
{
	struct ports *read;

	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP && flow->protocol != IPPROTO_SCTP)
		return;
	read = take(cursor, sizeof(*read));
	if (!read)
		return;
	*ports = *read;
	flow->port = read->destination;
}

static __always_inline void read_ipv4(struct cursor *cursor, struct flow *flow)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));
	struct ports ports = { 0, 0 };

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return;
	flow->version = 4;
	flow->protocol = ip->protocol;
	if (ip->ihl == 5 && !(ip->frag_off & bpf_htons(IP_OFFSET)))
		read_ports(cursor, flow, &ports);
	flow->hash = scramble(end_of_flow(&ip->saddr, 1, ports.source) + end_of_flow(&ip->daddr, 1, ports.destination) +
			      flow->protocol);
}

static __always_inline void read_ipv6(struct cursor *cursor, struct flow *flow)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip));
	struct ports ports = { 0, 0 };

	if (!ip || ip->version != 6)
		return;
	flow->version = 6;
	flow->protocol = ip->nexthdr;
	read_ports(cursor, flow, &ports);
	flow->hash = scramble(end_of_flow(ip->saddr.s6_addr32, 4, ports.source) +
			      end_of_flow(ip->daddr.s6_addr32, 4, ports.destination) + flow->protocol);
}

static __always_inline struct flow read_flow(struct xdp_md *ctx)
{
	struct cursor cursor = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	struct ethhdr *ethernet = take(&cursor, sizeof(*ethernet));
	struct { __be16 id; __be16 protocol; } *tag;
	struct flow flow = { .hash = 0 };
	__be16 protocol = ethernet ? ethernet->h_proto : 0;

	for (int i = 0; i < MAX_TAGS; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		tag = take(&cursor, sizeof(*tag));
		protocol = tag ? tag->protocol : 0;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		read_ipv4(&cursor, &flow);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		read_ipv6(&cursor, &flow);
	return flow;
}

#endif
