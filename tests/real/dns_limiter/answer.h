/* SPDX-License-Identifier: MIT
 * Turning a query round into the answer "truncated, ask by TCP": the question again, and nothing else.
 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "dns.h"

/* What the checksum of UDP covers beside the packet, and room for the longest answer. */
struct summed {
	__be32 source[4];
	__be32 destination[4];
	__be32 length;
	__be32 protocol;
	__u8 packet[(MOST_ANSWER + 3) / 4 * 4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct summed);
} scratch SEC(".maps");

static __always_inline __u16 fold(__s64 sum)
{
	__u32 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

static __always_inline void swap_bytes(void *one, void *other, const int size)
{
	__u8 kept[16];

	__builtin_memcpy(kept, one, size);
	__builtin_memcpy(one, other, size);
	__builtin_memcpy(other, kept, size);
}

static __always_inline _Bool turn_ethernet(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return 0;
	swap_bytes(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	return 1;
}

static __always_inline _Bool turn_ipv4(struct xdp_md *ctx, const struct query *query, __u32 length,
				       struct summed *summed)
{
	struct iphdr ip;

	if (bpf_xdp_load_bytes(ctx, query->ip_at, &ip, sizeof(ip)))
		return 0;
	swap_bytes(&ip.saddr, &ip.daddr, sizeof(ip.saddr));
	ip.tos = 0;
	ip.tot_len = bpf_htons(sizeof(ip) + length);
	ip.id = 0;
	ip.frag_off = 0;
	ip.ttl = ANSWER_TTL;
	ip.check = 0;
	ip.check = fold(bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0));
	summed->source[0] = ip.saddr;
	summed->destination[0] = ip.daddr;
	return !bpf_xdp_store_bytes(ctx, query->ip_at, &ip, sizeof(ip));
}

static __always_inline _Bool turn_ipv6(struct xdp_md *ctx, const struct query *query, __u32 length,
				       struct summed *summed)
{
	struct ipv6hdr ip;

	if (bpf_xdp_load_bytes(ctx, query->ip_at, &ip, sizeof(ip)))
		return 0;
	swap_bytes(&ip.saddr, &ip.daddr, sizeof(ip.saddr));
	ip.payload_len = bpf_htons(length);
	ip.hop_limit = ANSWER_TTL;
	__builtin_memcpy(summed->source, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(summed->destination, &ip.daddr, sizeof(ip.daddr));
	return !bpf_xdp_store_bytes(ctx, query->ip_at, &ip, sizeof(ip));
}

/* Write the headers of UDP and DNS, their checksum counted over the whole answer. */
static __always_inline _Bool turn_udp(struct xdp_md *ctx, const struct query *query, __u32 length, struct summed *summed)
{
	struct { struct udphdr udp; struct dns dns; } *head = (void *)summed->packet;
	__u16 checksum;

	if (length < LEAST_QUERY || length > MOST_ANSWER)
		return 0;
	if (bpf_xdp_load_bytes(ctx, query->udp_at, summed->packet, length))
		return 0;
	swap_bytes(&head->udp.source, &head->udp.dest, sizeof(head->udp.source));
	head->udp.len = bpf_htons(length);
	head->udp.check = 0;
	head->dns.flags = bpf_htons(DNS_RESPONSE | DNS_TRUNCATED | (query->flags & DNS_RECURSION_DESIRED));
	head->dns.answers = 0;
	head->dns.authorities = 0;
	head->dns.additional = 0;
	summed->length = bpf_htonl(length);
	summed->protocol = bpf_htonl(IPPROTO_UDP);
	checksum = fold(bpf_csum_diff(0, 0, (__be32 *)summed, sizeof(*summed), 0));
	head->udp.check = checksum ? checksum : 0xffff;
	return !bpf_xdp_store_bytes(ctx, query->udp_at, head, sizeof(*head));
}

/* Make the packet the answer; false where it cannot be one. */
static __always_inline _Bool answer_truncated(struct xdp_md *ctx, const struct query *query)
{
	__u32 zero = 0, length = query->question_end - query->udp_at, whole = bpf_xdp_get_buff_len(ctx);
	struct summed *summed = bpf_map_lookup_elem(&scratch, &zero);

	if (!summed)
		return 0;
	__builtin_memset(summed, 0, sizeof(*summed));
	if (query->source.family == ETH_P_IP ? !turn_ipv4(ctx, query, length, summed)
					     : !turn_ipv6(ctx, query, length, summed))
		return 0;
	if (!turn_udp(ctx, query, length, summed) || !turn_ethernet(ctx))
		return 0;
	return !bpf_xdp_adjust_tail(ctx, (__s32)(query->question_end - whole));
}

#endif
