/* SPDX-License-Identifier: MIT
 * Writing the other header, and bringing checksums up to date by what changed (RFC 7915, RFC 1624).
 */
#ifndef NAT64_REWRITE_H
#define NAT64_REWRITE_H

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "nat64.h"

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

#define IP_FRAGMENT 0x3fff
#define IP_DONT_FRAGMENT 0x4000
#define IPV6_LEAST_MTU 1280

struct icmp_echo {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 id;
	__be16 sequence;
};

/* What both directions need to know of TCP, UDP and ping. */
struct transport {
	__u8 protocol;          /* as IPv4 numbers it */
	__be16 source;          /* ports; of a ping the id stands in both */
	__be16 destination;
	__u16 kind;             /* of a ping: type and code, as they stand in the packet */
	__u32 checksum_at;      /* behind the start of the header */
	__u64 checksum_flags;
};

/* The pseudo header that the checksum of ICMPv6 covers, and that of ICMP does not (RFC 8200, section 8.1). */
struct pseudo_v6 {
	struct address_v6 source;
	struct address_v6 destination;
	__be32 length;
	__be32 next_header;
};

struct pair_v4 {
	__be32 source;
	__be32 destination;
};

static __always_inline __u16 fold(__s64 sum)
{
	__u32 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

/* Read the ports behind an IP header at `at`, whose payload has `length` bytes; what is wrong, or TRANSLATED. */
static __always_inline enum outcome read_transport(struct __sk_buff *skb, __u32 at, __u32 length, __u8 protocol,
						   struct transport *transport)
{
	struct icmp_echo icmp;
	struct udphdr udp;
	struct tcphdr tcp;

	transport->protocol = protocol;
	switch (protocol) {
	case IPPROTO_TCP:
		if (length < sizeof(tcp) || bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)) < 0)
			return MALFORMED;
		transport->source = tcp.source;
		transport->destination = tcp.dest;
		transport->checksum_at = offsetof(struct tcphdr, check);
		return tcp.doff < 5 ? MALFORMED : TRANSLATED;
	case IPPROTO_UDP:
		if (length < sizeof(udp) || bpf_skb_load_bytes(skb, at, &udp, sizeof(udp)) < 0)
			return MALFORMED;
		transport->source = udp.source;
		transport->destination = udp.dest;
		transport->checksum_at = offsetof(struct udphdr, check);
		transport->checksum_flags = BPF_F_MARK_MANGLED_0;
		if (bpf_ntohs(udp.len) != length)
			return MALFORMED;
		return udp.check ? TRANSLATED : UNSUPPORTED;
	case IPPROTO_ICMP:
		if (length < sizeof(icmp) || bpf_skb_load_bytes(skb, at, &icmp, sizeof(icmp)) < 0)
			return MALFORMED;
		transport->source = icmp.id;
		transport->destination = icmp.id;
		__builtin_memcpy(&transport->kind, &icmp, sizeof(transport->kind));
		transport->checksum_at = offsetof(struct icmp_echo, checksum);
		return TRANSLATED;
	}
	return UNSUPPORTED;
}

/* Replace 16 bits at `offset` of the header at `at`, and count it in the checksum. */
static __always_inline int replace16(struct __sk_buff *skb, __u32 at, __u32 offset, __u16 old, __u16 new,
				     const struct transport *transport)
{
	if (old == new)
		return 0;
	if (bpf_l4_csum_replace(skb, at + transport->checksum_at, old, new, 2 | transport->checksum_flags))
		return -1;
	return bpf_skb_store_bytes(skb, at + offset, &new, sizeof(new), 0);
}

/* Count another pseudo header in the checksum of the header at `at`. */
static __always_inline int replace_pseudo(struct __sk_buff *skb, __u32 at, __s64 difference,
					  const struct transport *transport)
{
	__u64 flags = transport->protocol == IPPROTO_ICMP ? 0 : BPF_F_PSEUDO_HDR;

	return bpf_l4_csum_replace(skb, at + transport->checksum_at, 0, difference, flags | transport->checksum_flags);
}

/* Make the packet one of the other family, with `header` of `size` bytes behind its Ethernet header. */
static __always_inline int replace_header(struct __sk_buff *skb, __be16 protocol, const void *header, const int size)
{
	if (bpf_skb_change_proto(skb, protocol, 0))
		return -1;
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0))
		return -1;
	return bpf_skb_store_bytes(skb, ETH_HLEN, header, size, 0);
}

/* The type and code of the same ping in the other protocol; 0xffff for what is no ping. */
static __always_inline __u16 kind_v4(__u16 kind)
{
	if (kind == bpf_htons(ICMPV6_ECHO_REQUEST << 8))
		return bpf_htons(ICMP_ECHO_REQUEST << 8);
	return kind == bpf_htons(ICMPV6_ECHO_REPLY << 8) ? bpf_htons(ICMP_ECHO_REPLY << 8) : 0xffff;
}

static __always_inline __u16 kind_v6(__u16 kind)
{
	if (kind == bpf_htons(ICMP_ECHO_REQUEST << 8))
		return bpf_htons(ICMPV6_ECHO_REQUEST << 8);
	return kind == bpf_htons(ICMP_ECHO_REPLY << 8) ? bpf_htons(ICMPV6_ECHO_REPLY << 8) : 0xffff;
}

#endif
