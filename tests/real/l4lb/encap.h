/* SPDX-License-Identifier: MIT
 * The outer headers: IP in IP (RFC 2003, RFC 2473), and GUE, which is IP in UDP with four bytes between.
 */
#ifndef L4LB_ENCAP_H
#define L4LB_ENCAP_H

#include "parse.h"

#define OUTER_TTL 64

/* Generic UDP encapsulation, version 0, without options. */
struct gue {
	__u8 version_and_length;
	__u8 protocol;
	__be16 flags;
};

static __always_inline __u16 fold(__s64 sum)
{
	__u32 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

static __always_inline __u8 inner_protocol(const struct packet *packet)
{
	return packet->flow.family == FAMILY_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

/* Make room for `size` bytes behind the Ethernet header, and send the frame to the gateway. */
static __always_inline void *grow(struct xdp_md *ctx, const struct config *config, const int size, __be16 protocol)
{
	struct ethhdr *ethernet;
	void *data;

	if (bpf_xdp_adjust_head(ctx, -size))
		return 0;
	data = (void *)(long)ctx->data;
	if (data + sizeof(*ethernet) + size > (void *)(long)ctx->data_end)
		return 0;
	ethernet = data;
	__builtin_memcpy(ethernet->h_dest, config->gateway_mac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, config->own_mac, ETH_ALEN);
	ethernet->h_proto = protocol;
	return ethernet + 1;
}

/* A checksum of 0 says that there is none; tunnels may do without over IPv6 too (RFC 6935). */
static __always_inline void write_gue(struct udphdr *udp, const struct packet *packet, __u32 hash)
{
	struct gue *gue = (void *)(udp + 1);

	udp->source = bpf_htons(0xc000 | (hash & 0x3fff));
	udp->dest = bpf_htons(GUE_PORT);
	udp->len = bpf_htons(sizeof(*udp) + sizeof(*gue) + packet->length);
	udp->check = 0;
	gue->version_and_length = 0;
	gue->protocol = inner_protocol(packet);
	gue->flags = 0;
}

static __always_inline _Bool wrap_v4(struct xdp_md *ctx, const struct packet *packet, const struct real *real,
				     const struct config *config, __u32 hash, const _Bool gue)
{
	const int size = sizeof(struct iphdr) + (gue ? sizeof(struct udphdr) + sizeof(struct gue) : 0);
	struct iphdr *ip = grow(ctx, config, size, bpf_htons(ETH_P_IP));

	if (!ip)
		return 0;
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = packet->tos;
	ip->tot_len = bpf_htons(size + packet->length);
	ip->ttl = OUTER_TTL;
	ip->protocol = gue ? IPPROTO_UDP : inner_protocol(packet);
	ip->saddr = (config->source_v4 & bpf_htonl(0xffff0000)) | bpf_htonl(hash & 0xffff);
	ip->daddr = real->address.words[0];
	ip->check = fold(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0));
	if (gue)
		write_gue((void *)(ip + 1), packet, hash);
	return 1;
}

static __always_inline _Bool wrap_v6(struct xdp_md *ctx, const struct packet *packet, const struct real *real,
				     const struct config *config, __u32 hash, const _Bool gue)
{
	const int more = gue ? sizeof(struct udphdr) + sizeof(struct gue) : 0;
	struct ipv6hdr *ip = grow(ctx, config, sizeof(*ip) + more, bpf_htons(ETH_P_IPV6));
	__be32 entropy = bpf_htonl(hash);

	if (!ip)
		return 0;
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->priority = packet->tos >> 4;
	ip->flow_lbl[0] = packet->tos << 4 | (hash >> 16 & 0xf);
	ip->flow_lbl[1] = hash >> 8;
	ip->flow_lbl[2] = hash;
	ip->payload_len = bpf_htons(more + packet->length);
	ip->nexthdr = gue ? IPPROTO_UDP : inner_protocol(packet);
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->saddr, &config->source_v6, sizeof(ip->saddr));
	__builtin_memcpy(&ip->saddr.s6_addr[12], &entropy, sizeof(entropy));
	__builtin_memcpy(&ip->daddr, &real->address, sizeof(ip->daddr));
	if (gue)
		write_gue((void *)(ip + 1), packet, hash);
	return 1;
}

/* Wrap the packet for a server; false where the packet cannot grow. */
static __always_inline _Bool encapsulate(struct xdp_md *ctx, const struct packet *packet, const struct real *real,
					 const struct config *config, __u32 hash)
{
	_Bool gue = real->encapsulation == ENCAP_GUE;

	if (real->family == FAMILY_IPV4)
		return gue ? wrap_v4(ctx, packet, real, config, hash, 1) : wrap_v4(ctx, packet, real, config, hash, 0);
	return gue ? wrap_v6(ctx, packet, real, config, hash, 1) : wrap_v6(ctx, packet, real, config, hash, 0);
}

/* The bytes that `encapsulate` adds. */
static __always_inline __u32 overhead(const struct real *real)
{
	__u32 ip = real->family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return real->encapsulation == ENCAP_GUE ? ip + sizeof(struct udphdr) + sizeof(struct gue) : ip;
}

#endif
