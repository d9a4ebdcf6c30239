/* SPDX-License-Identifier: MIT
 * From the bytes of a packet to the connection that it belongs to.
 */
#ifndef L4LB_PARSE_H
#define L4LB_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "l4lb.h"

#define IP_FRAGMENT 0x3fff  /* more fragments, or an offset */

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO_REQUEST 8
#define ICMP_TIME_EXCEEDED 11
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_TOO_BIG 2
#define ICMPV6_TIME_EXCEEDED 3
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

/* The first 8 bytes of ICMP and ICMPv6. */
struct icmp {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__u32 rest;
};

struct ports {
	__be16 source;
	__be16 destination;
};

struct packet {
	struct flow flow;
	__u8 tos;        /* of the IP header: copied to the outer one */
	_Bool fragment;
	_Bool opening;   /* a SYN: the connection is new, whatever the table says */
	_Bool echo;      /* a ping */
	_Bool error;     /* a router's word about an answer that this connection had */
	__u32 length;    /* of the IP packet */
};

struct cursor {
	void *at;
	void *end;
};

/* Return the next `size` bytes (a constant) and move behind them; null if the packet ends before. */
static __always_inline void *take(struct cursor *cursor, const __u64 size)
{
	void *header = cursor->at;

	if (header + size > cursor->end)
		return 0;
	cursor->at = header + size;
	return header;
}

static __always_inline void set_v4(struct address *address, __be32 word)
{
	__builtin_memset(address, 0, sizeof(*address));
	address->words[0] = word;
}

/* An error quotes the packet that a server sent: its flow, turned round, is that of the client. */
static __always_inline _Bool read_quoted_ports(struct cursor *cursor, struct packet *packet, __u8 protocol)
{
	struct ports *ports = take(cursor, sizeof(*ports));

	if (!ports || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return 0;
	packet->error = 1;
	packet->flow.protocol = protocol;
	packet->flow.source_port = ports->destination;
	packet->flow.destination_port = ports->source;
	return 1;
}

static __always_inline _Bool read_quoted_v4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl != 5 || ip->frag_off & bpf_htons(0x1fff))
		return 0;
	set_v4(&packet->flow.source, ip->daddr);
	set_v4(&packet->flow.destination, ip->saddr);
	return read_quoted_ports(cursor, packet, ip->protocol);
}

static __always_inline _Bool read_quoted_v6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip));

	if (!ip || ip->version != 6)
		return 0;
	__builtin_memcpy(&packet->flow.source, &ip->daddr, sizeof(struct address));
	__builtin_memcpy(&packet->flow.destination, &ip->saddr, sizeof(struct address));
	return read_quoted_ports(cursor, packet, ip->nexthdr);
}

static __always_inline _Bool read_icmp(struct cursor *cursor, struct packet *packet)
{
	struct icmp *icmp = take(cursor, sizeof(*icmp));

	if (!icmp)
		return 0;
	packet->echo = icmp->type == ICMP_ECHO_REQUEST && icmp->code == 0;
	if (icmp->type == ICMP_UNREACHABLE || icmp->type == ICMP_TIME_EXCEEDED)
		return read_quoted_v4(cursor, packet);
	return 1;
}

static __always_inline _Bool read_icmpv6(struct cursor *cursor, struct packet *packet)
{
	struct icmp *icmp = take(cursor, sizeof(*icmp));

	if (!icmp)
		return 0;
	packet->echo = icmp->type == ICMPV6_ECHO_REQUEST && icmp->code == 0;
	if (icmp->type == ICMPV6_UNREACHABLE || icmp->type == ICMPV6_TOO_BIG || icmp->type == ICMPV6_TIME_EXCEEDED)
		return read_quoted_v6(cursor, packet);
	return 1;
}

static __always_inline _Bool read_ports(struct cursor *cursor, struct packet *packet)
{
	struct tcphdr *tcp;
	struct udphdr *udp;

	if (packet->flow.protocol == IPPROTO_TCP) {
		tcp = take(cursor, sizeof(*tcp));
		if (!tcp || tcp->doff < 5)
			return 0;
		packet->opening = tcp->syn && !tcp->ack;
		packet->flow.source_port = tcp->source;
		packet->flow.destination_port = tcp->dest;
	} else if (packet->flow.protocol == IPPROTO_UDP) {
		udp = take(cursor, sizeof(*udp));
		if (!udp || bpf_ntohs(udp->len) < sizeof(*udp))
			return 0;
		packet->flow.source_port = udp->source;
		packet->flow.destination_port = udp->dest;
	}
	return 1;
}

static __always_inline _Bool read_v4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));

	/* Options are for routers; nobody has a need for them on the way to a service. */
	if (!ip || ip->version != 4 || ip->ihl != 5)
		return 0;
	packet->length = bpf_ntohs(ip->tot_len);
	if (packet->length < sizeof(*ip) || (void *)ip + packet->length > cursor->end)
		return 0;
	packet->tos = ip->tos;
	packet->fragment = (ip->frag_off & bpf_htons(IP_FRAGMENT)) != 0;
	packet->flow.family = FAMILY_IPV4;
	packet->flow.protocol = ip->protocol;
	set_v4(&packet->flow.source, ip->saddr);
	set_v4(&packet->flow.destination, ip->daddr);
	if (packet->fragment)
		return 1;
	return ip->protocol == IPPROTO_ICMP ? read_icmp(cursor, packet) : read_ports(cursor, packet);
}

static __always_inline _Bool read_v6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip));

	if (!ip || ip->version != 6)
		return 0;
	packet->length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if ((void *)ip + packet->length > cursor->end)
		return 0;
	packet->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	packet->fragment = ip->nexthdr == IPPROTO_FRAGMENT;
	packet->flow.family = FAMILY_IPV6;
	packet->flow.protocol = ip->nexthdr;
	__builtin_memcpy(&packet->flow.source, &ip->saddr, sizeof(struct address));
	__builtin_memcpy(&packet->flow.destination, &ip->daddr, sizeof(struct address));
	if (packet->fragment)
		return 1;
	return ip->nexthdr == IPPROTO_ICMPV6 ? read_icmpv6(cursor, packet) : read_ports(cursor, packet);
}

#endif
