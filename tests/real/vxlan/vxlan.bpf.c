// SPDX-License-Identifier: MIT
/*
 * A VXLAN gateway of two tc programs.
 *
 *   encapsulate   frames of the local VLANs: to the gateway where the destination is, or to all of them
 *   decapsulate   tunnel packets from the uplink: their frames, in the VLAN of their network
 *
 * Requests of ARP for stations that are known are answered from here and do not cross the tunnel. Where stations are is
 * learned from the frames that come out of it, unless the control plane has said so.
 */
#include "frames.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_NETWORKS);
	__type(key, __u32);
	__type(value, __u32);
} network_of_vlan SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_NETWORKS);
	__type(key, __u32);
	__type(value, __u32);
} vlan_of_network SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_HOSTS);
	__type(key, struct station);
	__type(value, struct remote);
} fdb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_HOSTS);
	__type(key, struct neighbour_key);
	__type(value, struct neighbour);
} neighbours SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_NETWORKS);
	__type(key, __u32);
	__type(value, struct flood_list);
} flood SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, __be32);
	__type(value, __u32);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MAX_NETWORKS);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

const volatile __be32 local;             /* the gateway's own address in the underlay */
const volatile __u8 local_mac[ETH_ALEN];
const volatile __u8 next_mac[ETH_ALEN];  /* the router of the underlay */
const volatile __u32 uplink = 1;
const volatile __u32 bridge = 1;
const volatile __u32 mtu = 1500;         /* of the underlay */
const volatile __u8 learning = 1;

/* ---- Into the tunnel ------------------------------------------------------------------------------------- */

/* Spread flows over the paths of the underlay by a source port from what stays the same in a flow. */
static __always_inline __u16 entropy(const struct frame *frame)
{
	__u32 hash = frame->protocol;

	for (int i = 0; i < ETH_ALEN; i++) {
		hash = (hash ^ frame->ethernet.h_source[i]) * 0x01000193;
		hash = (hash ^ frame->ethernet.h_dest[i]) * 0x01000193;
	}
	return 0xc000 | ((hash ^ hash >> 16) & 0x3fff);
}

static __always_inline __u8 inner_tos(struct __sk_buff *skb, const struct frame *frame)
{
	__u8 first[2];

	if (bpf_skb_load_bytes(skb, frame->payload_at, first, sizeof(first)) < 0)
		return 0;
	if (frame->protocol == bpf_htons(ETH_P_IP))
		return first[1];
	return frame->protocol == bpf_htons(ETH_P_IPV6) ? first[0] << 4 | first[1] >> 4 : 0;
}

static __always_inline void fill_outer(struct outer *outer, const struct frame *frame, __u32 network, __u32 length)
{
	__builtin_memset(outer, 0, sizeof(*outer));
	for (int i = 0; i < ETH_ALEN; i++) {
		outer->ethernet.h_source[i] = local_mac[i];
		outer->ethernet.h_dest[i] = next_mac[i];
	}
	outer->ethernet.h_proto = bpf_htons(ETH_P_IP);
	outer->ip.version = 4;
	outer->ip.ihl = 5;
	outer->ip.tot_len = bpf_htons(OUTER_SIZE - ETH_HLEN + length);
	outer->ip.frag_off = bpf_htons(IP_DONT_FRAGMENT);
	outer->ip.ttl = OUTER_TTL;
	outer->ip.protocol = IPPROTO_UDP;
	outer->ip.saddr = local;
	outer->udp.source = bpf_htons(entropy(frame));
	outer->udp.dest = bpf_htons(VXLAN_PORT);
	outer->udp.len = bpf_htons(sizeof(outer->udp) + sizeof(outer->vxlan) + length);
	outer->vxlan.flags = bpf_htonl(VXLAN_HAS_VNI);
	outer->vxlan.vni = bpf_htonl(network << 8);
}

/* Write the headers in front of the frame, for which there is room already. */
static __always_inline int store_outer(struct __sk_buff *skb, struct outer *outer, __be32 remote)
{
	outer->ip.daddr = remote;
	outer->ip.check = 0;
	outer->ip.check = fold(bpf_csum_diff(0, 0, (__be32 *)&outer->ip, sizeof(outer->ip), 0));
	return bpf_skb_store_bytes(skb, 0, &outer->ethernet, OUTER_SIZE, 0);
}

static __always_inline enum outcome send_to_all(struct __sk_buff *skb, struct outer *outer, __u32 network)
{
	struct flood_list *list = bpf_map_lookup_elem(&flood, &network);

	if (!list || !list->count)
		return NOWHERE;
	if (bpf_skb_change_head(skb, OUTER_SIZE, 0))
		return FAILED;
	for (__u32 i = 0; i < MAX_FLOOD; i++) {
		if (i >= list->count)
			break;
		if (store_outer(skb, outer, list->addresses[i]) || bpf_clone_redirect(skb, uplink, 0))
			return FAILED;
	}
	return FLOODED;
}

static __always_inline enum outcome send_to_one(struct __sk_buff *skb, struct outer *outer, const struct remote *remote)
{
	if (bpf_skb_change_head(skb, OUTER_SIZE, 0) || store_outer(skb, outer, remote->address))
		return FAILED;
	return SENT;
}

/* Answer a request for a station that is known, in the VLAN it came from. */
static __always_inline _Bool suppress_arp(struct __sk_buff *skb, const struct frame *frame, __u32 network)
{
	struct neighbour_key key = { .network = network };
	struct neighbour *neighbour;
	struct arp arp;

	if (frame->protocol != bpf_htons(ETH_P_ARP) || !read_arp(skb, frame->payload_at, &arp))
		return 0;
	key.address = word(arp.target);
	/* Who asks for its own address wants to know of conflicts, and who has none yet must not be told. */
	if (arp.operation != bpf_htons(ARP_REQUEST) || key.address == word(arp.sender) || !word(arp.sender))
		return 0;
	neighbour = bpf_map_lookup_elem(&neighbours, &key);
	return neighbour && !answer_arp(skb, frame->payload_at, &arp, neighbour->mac);
}

static __always_inline enum outcome to_tunnel(struct __sk_buff *skb)
{
	struct station station = { .zero = 0 };
	struct traffic *counted;
	struct remote *remote;
	enum outcome outcome;
	struct outer outer;
	struct frame frame;
	__u32 vlan, *network, length;

	if (!read_frame(skb, &frame))
		return MALFORMED;
	vlan = frame.vlan;
	network = bpf_map_lookup_elem(&network_of_vlan, &vlan);
	if (!network)
		return UNKNOWN_NETWORK;
	if (suppress_arp(skb, &frame, *network))
		return ARP_ANSWERED;
	length = skb->len - (frame.payload_at - ETH_HLEN);
	if (length + OUTER_SIZE - ETH_HLEN > mtu)
		return TOO_BIG;
	fill_outer(&outer, &frame, *network, length);
	outer.ip.tos = inner_tos(skb, &frame);
	if (is_vlan(frame.ethernet.h_proto) && bpf_skb_vlan_pop(skb))
		return FAILED;
	station.network = *network;
	__builtin_memcpy(station.mac, frame.ethernet.h_dest, ETH_ALEN);
	remote = is_group(station.mac) ? 0 : bpf_map_lookup_elem(&fdb, &station);
	outcome = remote ? send_to_one(skb, &outer, remote) : send_to_all(skb, &outer, *network);
	counted = bpf_map_lookup_elem(&traffic, network);
	if (counted && (outcome == SENT || outcome == FLOODED)) {
		counted->packets_out++;
		counted->bytes_out += length;
	}
	return outcome;
}

/* ---- Out of the tunnel ----------------------------------------------------------------------------------- */

/* Note where the sender is; false if it is configured to be elsewhere. */
static __always_inline _Bool learn(const struct ethhdr *inner, __u32 network, __be32 from)
{
	struct station station = { .network = network };
	struct remote seen = { .address = from, .learned = 1 };
	struct remote *known;

	__builtin_memcpy(station.mac, inner->h_source, ETH_ALEN);
	known = bpf_map_lookup_elem(&fdb, &station);
	if (known && !known->learned)
		return known->address == from;
	if (learning && (!known || known->address != from))
		bpf_map_update_elem(&fdb, &station, &seen, BPF_ANY);
	return 1;
}

/* Note what an ARP packet out of the tunnel says of its sender. */
static __always_inline void learn_neighbour(struct __sk_buff *skb, const struct ethhdr *inner, __u32 network)
{
	struct neighbour neighbour = { .zero = 0 };
	struct neighbour_key key = { .network = network };
	struct arp arp;

	if (!learning || inner->h_proto != bpf_htons(ETH_P_ARP) || !read_arp(skb, OUTER_SIZE + ETH_HLEN, &arp))
		return;
	key.address = word(arp.sender);
	if (!key.address || is_group(arp.sender_mac))
		return;
	__builtin_memcpy(neighbour.mac, arp.sender_mac, ETH_ALEN);
	bpf_map_update_elem(&neighbours, &key, &neighbour, BPF_ANY);
}

static __always_inline _Bool is_tunnel_packet(const struct outer *outer)
{
	return outer->ethernet.h_proto == bpf_htons(ETH_P_IP) && outer->ip.version == 4 && outer->ip.ihl == 5 &&
	       outer->ip.protocol == IPPROTO_UDP && outer->ip.daddr == local &&
	       !(outer->ip.frag_off & bpf_htons(IP_FRAGMENT)) && outer->udp.dest == bpf_htons(VXLAN_PORT);
}

/* Cut off the padding of the link, take the headers away, and put the frame into its VLAN. */
static __always_inline enum outcome unwrap(struct __sk_buff *skb, const struct ethhdr *inner, __u32 length, __u32 vlan)
{
	if (skb->len > length && bpf_skb_change_tail(skb, length, 0))
		return FAILED;
	/* The room goes from behind the Ethernet header, so the inner one is written over the outer. */
	if (bpf_skb_adjust_room(skb, -(__s32)OUTER_SIZE, BPF_ADJ_ROOM_MAC, 0))
		return FAILED;
	if (bpf_skb_store_bytes(skb, 0, inner, sizeof(*inner), 0))
		return FAILED;
	if (vlan && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), vlan))
		return FAILED;
	skb->cb[0] = skb->vlan_tci;  /* for programs of the bridge */
	return RECEIVED;
}

static __always_inline enum outcome from_tunnel(struct __sk_buff *skb)
{
	__u32 network, *vlan, length;
	struct traffic *counted;
	enum outcome outcome;
	struct ethhdr inner;
	struct outer outer;

	if (bpf_skb_load_bytes(skb, 0, &outer.ethernet, OUTER_SIZE) < 0 || !is_tunnel_packet(&outer))
		return NOT_OURS;
	length = ETH_HLEN + bpf_ntohs(outer.ip.tot_len);
	if (length < OUTER_SIZE + ETH_HLEN || length > skb->len)
		return MALFORMED;
	if (bpf_ntohs(outer.udp.len) != length - ETH_HLEN - sizeof(outer.ip))
		return MALFORMED;
	if (!(outer.vxlan.flags & bpf_htonl(VXLAN_HAS_VNI)))
		return MALFORMED;
	if (!bpf_map_lookup_elem(&peers, &outer.ip.saddr))
		return UNKNOWN_PEER;
	network = bpf_ntohl(outer.vxlan.vni) >> 8;
	vlan = bpf_map_lookup_elem(&vlan_of_network, &network);
	if (!vlan)
		return UNKNOWN_NETWORK;
	if (bpf_skb_load_bytes(skb, OUTER_SIZE, &inner, sizeof(inner)) < 0)
		return MALFORMED;
	/* Tags do not cross a tunnel (RFC 7348, section 6.1). */
	if (is_vlan(inner.h_proto) || is_group(inner.h_source))
		return MALFORMED;
	if (!learn(&inner, network, outer.ip.saddr))
		return PINNED;
	learn_neighbour(skb, &inner, network);
	outcome = unwrap(skb, &inner, length, *vlan);
	counted = bpf_map_lookup_elem(&traffic, &network);
	if (counted && outcome == RECEIVED) {
		counted->packets_in++;
		counted->bytes_in += length - OUTER_SIZE;
	}
	return outcome;
}

/* ---- The programs ---------------------------------------------------------------------------------------- */

static __always_inline int verdict_of(struct __sk_buff *skb, enum outcome outcome)
{
	switch (outcome) {
	case NOT_OURS:
		return BPF_OK;
	case SENT:
		return bpf_redirect(uplink, 0);
	case RECEIVED:
		return bpf_redirect(bridge, 0);
	case ARP_ANSWERED:
		return bpf_redirect(skb->ifindex, 0);
	default:
		return BPF_DROP; /* what is flooded was sent as copies */
	}
}

static __always_inline int counted(struct __sk_buff *skb, __u32 outcome)
{
	__u64 *count = bpf_map_lookup_elem(&outcomes, &outcome);

	if (count)
		(*count)++;
	return verdict_of(skb, outcome);
}

SEC("tc")
int encapsulate(struct __sk_buff *skb)
{
	return counted(skb, to_tunnel(skb));
}

SEC("tc")
int decapsulate(struct __sk_buff *skb)
{
	return counted(skb, from_tunnel(skb));
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
