/* SPDX-License-Identifier: MIT
 * From a packet's bytes to its flow and what it does to the flow's state.
 */
#ifndef CONNTRACK_PARSE_H
#define CONNTRACK_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "conntrack.h"

#define IP_FRAGMENT 0x3fff
#define AF_INET 2
#define AF_INET6 10
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_EXCEEDED 11
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_EXCEEDED 3
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

struct icmp {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 id;
	__be16 sequence;
};

struct packet {
	struct flow flow;
	__u8 syn, ack, fin, rst;
	__u8 reply;    /* a pong: the flow is turned round already */
	__u8 error;    /* an error: the flow is that of the packet it quotes */
	__u16 unused;
	__u32 length;
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

static __always_inline void turn_round(struct flow *flow)
{
	__be16 port = flow->source_port;

	flow->source_port = flow->destination_port;
	flow->destination_port = port;
#pragma unroll
	for (int word = 0; word < 4; word++) {
		__be32 held = flow->source[word];

		flow->source[word] = flow->destination[word];
		flow->destination[word] = held;
	}
}

/* Read an IP header: its addresses and protocol go into the flow. */
static __always_inline enum outcome read_network(struct cursor *cursor, __be16 kind, struct packet *packet)
{
	struct flow *flow = &packet->flow;

	if (kind == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = take(cursor, sizeof(*ip));

		if (!ip || ip->version != 4 || ip->ihl < 5)
			return MALFORMED;
		if (ip->frag_off & bpf_htons(IP_FRAGMENT))
			return FRAGMENT;
		if (ip->ihl > 5 && !take(cursor, (ip->ihl - 5) * 4 & 0x3c))
			return MALFORMED;
		flow->family = AF_INET;
		flow->protocol = ip->protocol;
		flow->source[0] = ip->saddr;
		flow->destination[0] = ip->daddr;
		packet->length = bpf_ntohs(ip->tot_len);
		return KNOWN;
	}
	if (kind == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = take(cursor, sizeof(*ip));

		if (!ip || ip->version != 6)
			return MALFORMED;
		if (ip->nexthdr == IPPROTO_FRAGMENT)
			return FRAGMENT;
		flow->family = AF_INET6;
		flow->protocol = ip->nexthdr;
		__builtin_memcpy(flow->source, &ip->saddr, 16);
		__builtin_memcpy(flow->destination, &ip->daddr, 16);
		packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
		return KNOWN;
	}
	return NOT_IP;
}

static __always_inline enum outcome read_tcp(struct cursor *cursor, struct packet *packet)
{
	struct tcphdr *tcp = take(cursor, sizeof(*tcp));

	if (!tcp || tcp->doff < 5)
		return MALFORMED;
	packet->flow.source_port = tcp->source;
	packet->flow.destination_port = tcp->dest;
	packet->syn = tcp->syn;
	packet->ack = tcp->ack;
	packet->fin = tcp->fin;
	packet->rst = tcp->rst;
	return KNOWN;
}

static __always_inline enum outcome read_udp(struct cursor *cursor, struct packet *packet)
{
	struct udphdr *udp = take(cursor, sizeof(*udp));

	if (!udp)
		return MALFORMED;
	packet->flow.source_port = udp->source;
	packet->flow.destination_port = udp->dest;
	return KNOWN;
}

/* An error quotes the packet that it answers, from its IP header to eight bytes behind: enough for the ports. */
static __always_inline enum outcome read_quoted(struct cursor *cursor, struct packet *packet)
{
	__be16 kind = packet->flow.family == AF_INET ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	__u32 length = packet->length;
	enum outcome outcome;

	outcome = read_network(cursor, kind, packet);
	if (outcome != KNOWN)
		return outcome;
	packet->length = length;
	packet->error = 1;
	if (packet->flow.protocol != IPPROTO_TCP && packet->flow.protocol != IPPROTO_UDP)
		return UNSUPPORTED;
	return read_udp(cursor, packet);
}

static __always_inline enum outcome read_icmp(struct cursor *cursor, struct packet *packet)
{
	_Bool v4 = packet->flow.family == AF_INET;
	struct icmp *icmp = take(cursor, sizeof(*icmp));
	__u8 type;

	if (!icmp)
		return MALFORMED;
	type = icmp->type;
	if (v4 ? type == ICMP_UNREACHABLE || type == ICMP_EXCEEDED
	       : type == ICMP6_UNREACHABLE || type == ICMP6_EXCEEDED || type == ICMP6_TOO_BIG)
		return read_quoted(cursor, packet);
	packet->flow.source_port = packet->flow.destination_port = icmp->id;
	packet->reply = type == (v4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY);
	return packet->reply || type == (v4 ? ICMP_ECHO : ICMP6_ECHO) ? KNOWN : UNSUPPORTED;
}

static __always_inline enum outcome read_packet(struct cursor *cursor, struct packet *packet)
{
	struct ethhdr *eth = take(cursor, sizeof(*eth));
	enum outcome outcome;

	if (!eth)
		return MALFORMED;
	outcome = read_network(cursor, eth->h_proto, packet);
	if (outcome != KNOWN)
		return outcome;
	switch (packet->flow.protocol) {
	case IPPROTO_TCP:
		return read_tcp(cursor, packet);
	case IPPROTO_UDP:
		return read_udp(cursor, packet);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return read_icmp(cursor, packet);
	default:
		return UNSUPPORTED;
	}
}

#endif
