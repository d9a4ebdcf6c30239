/* SPDX-License-Identifier: MIT
 * The frames on both sides of the gateway, and the headers between them (RFC 7348).
 */
#ifndef VXLAN_FRAMES_H
#define VXLAN_FRAMES_H

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "vxlan.h"

#define VXLAN_PORT 4789
#define VXLAN_HAS_VNI 0x08000000
#define OUTER_TTL 64
#define IP_FRAGMENT 0x3fff
#define IP_DONT_FRAGMENT 0x4000
#define ARP_REQUEST 1
#define ARP_REPLY 2

struct vxlan {
	__be32 flags;
	__be32 vni;  /* in the upper 24 bits */
};

/* All that stands before the inner frame. The two bytes in front keep the IP header aligned on the stack. */
struct outer {
	__u16 alignment;
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	struct vxlan vxlan;
};

#define OUTER_SIZE (sizeof(struct outer) - offsetof(struct outer, ethernet))

struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_size;
	__u8 protocol_size;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender[4];  /* addresses are not aligned */
	__u8 target_mac[6];
	__u8 target[4];
};

/* A frame of the local side. */
struct frame {
	struct ethhdr ethernet;
	__u16 vlan;       /* 0 without a tag */
	__be16 protocol;  /* of what follows the tag */
	__u32 payload_at;
};

static __always_inline __u16 fold(__s64 sum)
{
	__u32 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

static __always_inline _Bool is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

static __always_inline _Bool is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

/* Read a frame with at most one tag; false for others, and for senders that are a group. */
static __always_inline _Bool read_frame(struct __sk_buff *skb, struct frame *frame)
{
	struct { __be16 id; __be16 protocol; } tag;

	if (bpf_skb_load_bytes(skb, 0, &frame->ethernet, sizeof(frame->ethernet)) < 0)
		return 0;
	if (is_group(frame->ethernet.h_source))
		return 0;
	frame->protocol = frame->ethernet.h_proto;
	frame->payload_at = ETH_HLEN;
	frame->vlan = 0;
	if (is_vlan(frame->protocol)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &tag, sizeof(tag)) < 0 || is_vlan(tag.protocol))
			return 0;
		frame->vlan = bpf_ntohs(tag.id) & 0xfff;
		frame->protocol = tag.protocol;
		frame->payload_at += sizeof(tag);
	}
	return 1;
}

/* Read an ARP packet for IPv4 over Ethernet at `at`. */
static __always_inline _Bool read_arp(struct __sk_buff *skb, __u32 at, struct arp *arp)
{
	if (bpf_skb_load_bytes(skb, at, arp, sizeof(*arp)) < 0)
		return 0;
	return arp->hardware == bpf_htons(1) && arp->protocol == bpf_htons(ETH_P_IP) &&
	       arp->hardware_size == 6 && arp->protocol_size == 4;
}

static __always_inline __be32 word(const __u8 *address)
{
	__be32 loaded;

	__builtin_memcpy(&loaded, address, sizeof(loaded));
	return loaded;
}

/* Turn a request at `at` round into the answer that `mac` would give. */
static __always_inline int answer_arp(struct __sk_buff *skb, __u32 at, struct arp *arp, const __u8 *mac)
{
	__u8 wanted[4];

	__builtin_memcpy(wanted, arp->target, sizeof(wanted));
	arp->operation = bpf_htons(ARP_REPLY);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, sizeof(arp->target_mac));
	__builtin_memcpy(arp->target, arp->sender, sizeof(arp->target));
	__builtin_memcpy(arp->sender_mac, mac, sizeof(arp->sender_mac));
	__builtin_memcpy(arp->sender, wanted, sizeof(arp->sender));
	if (bpf_skb_store_bytes(skb, at, arp, sizeof(*arp), 0))
		return -1;
	if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_dest), arp->target_mac, ETH_ALEN, 0))
		return -1;
	return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_source), mac, ETH_ALEN, 0);
}

#endif
