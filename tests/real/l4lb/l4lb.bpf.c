// SPDX-License-Identifier: MIT
/*
 * A load balancer for TCP and UDP services, in XDP.
 *
 *   client -> VIP  =>  own -> server ( client -> VIP )      IP in IP, or GUE; the server answers the client itself
 *
 * Which server: the one that the connection has already (an LRU table), else the one at the place of the packet's hash
 * in the service's part of `rings`, which the control plane fills as Maglev does: when a server leaves, connections of
 * the others stay where they are, even on another load balancer that has never seen them.
 *
 * Pings to a VIP are answered from here. Errors that routers send about answers of a server (fragmentation needed,
 * time exceeded) are sent to that server: the packet they quote says which connection it was.
 */
#include "encap.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4 * MAX_VIPS);
	__type(key, struct vip_key);
	__type(value, struct vip);
} vips SEC(".maps");

/* RING_SIZE places for each VIP, each the number of a server in `reals`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VIPS * RING_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_REALS);
	__type(key, __u32);
	__type(value, struct real);
} reals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CONNECTIONS);
	__type(key, struct flow);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__type(value, struct vip_statistics);
} vip_statistics SEC(".maps");

/* ---- Which server ---------------------------------------------------------------------------------------- */

static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x9e3779b1;
	return hash ^ hash >> 15;
}

static __always_inline __u32 hash_of(const struct flow *flow, _Bool by_source)
{
	__u32 hash = flow->protocol;

	for (int i = 0; i < 4; i++) {
		hash = mix(hash, flow->source.words[i]);
		hash = mix(hash, flow->destination.words[i]);
	}
	if (!by_source)
		hash = mix(hash, flow->source_port);
	return mix(hash, flow->destination_port);
}

static __always_inline struct vip *find_vip(const struct flow *flow, __u8 protocol, __be16 port)
{
	struct vip_key key = { .address = flow->destination, .port = port, .protocol = protocol };

	key.family = flow->family;
	return bpf_map_lookup_elem(&vips, &key);
}

static __always_inline __u32 real_by_ring(const struct vip *vip, __u32 hash)
{
	__u32 place = vip->number * RING_SIZE + hash % RING_SIZE;
	__u32 *real = bpf_map_lookup_elem(&rings, &place);

	return real ? *real : 0;
}

static __always_inline struct real *real_at(__u32 number)
{
	struct real *real = bpf_map_lookup_elem(&reals, &number);

	return real && real->family != FAMILY_NONE ? real : 0;
}

/* The server that the connection had, if that one is still there. */
static __always_inline struct real *known_real(const struct packet *packet, struct vip_statistics *statistics)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &packet->flow);
	struct real *real = connection ? real_at(connection->real) : 0;

	if (real) {
		connection->packets++;
		statistics->known++;
	}
	return real;
}

static __always_inline struct real *choose(const struct packet *packet, const struct vip *vip, __u32 hash, _Bool error,
					   struct vip_statistics *statistics)
{
	struct connection connection = { .vip = vip->number, .packets = 1 };
	_Bool remembers = !(vip->flags & VIP_NO_LRU);
	struct real *real = remembers && !packet->opening ? known_real(packet, statistics) : 0;

	if (real)
		return real;
	connection.real = real_by_ring(vip, hash);
	real = real_at(connection.real);
	if (real && remembers && !error) {
		bpf_map_update_elem(&connections, &packet->flow, &connection, BPF_ANY);
		statistics->connections++;
	}
	return real;
}

static __always_inline enum outcome forward(struct xdp_md *ctx, const struct packet *packet, _Bool error)
{
	struct vip *vip = find_vip(&packet->flow, packet->flow.protocol, packet->flow.destination_port);
	__u32 zero = 0, number = vip ? vip->number : 0;
	struct vip_statistics *statistics = bpf_map_lookup_elem(&vip_statistics, &number);
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct real *real;
	__u32 hash;

	if (!vip || !statistics || !settings)
		return NOT_OURS;
	hash = hash_of(&packet->flow, vip->flags & VIP_BY_SOURCE);
	real = choose(packet, vip, hash, error, statistics);
	if (!real)
		return NO_REAL;
	if (ETH_HLEN + packet->length + overhead(real) > settings->max_frame)
		return TOO_BIG;
	if (!encapsulate(ctx, packet, real, settings, hash))
		return TOO_BIG;
	statistics->packets++;
	statistics->bytes += packet->length;
	return error ? ERROR_FORWARDED : FORWARDED;
}

/* ---- Pings ----------------------------------------------------------------------------------------------- */

/* The checksum after the type went from `old` to `new` (RFC 1624); in the packet it is a byte of higher value. */
static __always_inline __u16 checksum_after(__u16 checksum, __u8 old, __u8 new)
{
	__u32 sum = (__u16)~checksum + (__u16)~bpf_htons(old << 8) + bpf_htons(new << 8);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void swap(void *one, void *other, const int size)
{
	__u8 kept[16];

	__builtin_memcpy(kept, one, size);
	__builtin_memcpy(one, other, size);
	__builtin_memcpy(other, kept, size);
}

static __always_inline void turn_icmp(struct icmp *icmp, __u8 reply)
{
	icmp->checksum = checksum_after(icmp->checksum, icmp->type, reply);
	icmp->type = reply;
}

static __always_inline enum outcome answer_echo(struct xdp_md *ctx, const struct packet *packet)
{
	struct cursor cursor = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	struct ethhdr *ethernet = take(&cursor, sizeof(*ethernet));
	struct ipv6hdr *ipv6;
	struct iphdr *ipv4;
	struct icmp *icmp;

	if (!ethernet)
		return MALFORMED;
	if (packet->flow.family == FAMILY_IPV4) {
		ipv4 = take(&cursor, sizeof(*ipv4));
		icmp = take(&cursor, sizeof(*icmp));
		if (!ipv4 || !icmp)
			return MALFORMED;
		swap(&ipv4->saddr, &ipv4->daddr, sizeof(ipv4->saddr));
		turn_icmp(icmp, ICMP_ECHO_REPLY);
	} else {
		ipv6 = take(&cursor, sizeof(*ipv6));
		icmp = take(&cursor, sizeof(*icmp));
		if (!ipv6 || !icmp)
			return MALFORMED;
		swap(&ipv6->saddr, &ipv6->daddr, sizeof(ipv6->saddr));
		turn_icmp(icmp, ICMPV6_ECHO_REPLY);
	}
	swap(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	return ECHO_ANSWERED;
}

/* ---- The program ----------------------------------------------------------------------------------------- */

static __always_inline enum outcome balance(struct xdp_md *ctx)
{
	struct cursor cursor = { (void *)(long)ctx->data, (void *)(long)ctx->data_end };
	struct ethhdr *ethernet = take(&cursor, sizeof(*ethernet));
	struct packet packet = { .length = 0 };
	__u8 protocol;

	if (!ethernet)
		return MALFORMED;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		if (!read_v4(&cursor, &packet))
			return MALFORMED;
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		if (!read_v6(&cursor, &packet))
			return MALFORMED;
	} else {
		return NOT_IP;
	}
	if (!find_vip(&packet.flow, 0, 0))
		return NOT_OURS;
	if (packet.fragment)
		return FRAGMENT;
	protocol = packet.flow.protocol;
	if (packet.echo)
		return answer_echo(ctx, &packet);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return NOT_OURS;
	return forward(ctx, &packet, packet.error);
}

static __always_inline int verdict_of(enum outcome outcome)
{
	switch (outcome) {
	case NOT_IP:
	case NOT_OURS:
		return XDP_PASS;
	case ECHO_ANSWERED:
	case FORWARDED:
	case ERROR_FORWARDED:
		return XDP_TX;
	default:
		return XDP_DROP;
	}
}

SEC("xdp")
int l4lb(struct xdp_md *ctx)
{
	__u32 outcome = balance(ctx);
	__u64 *count = bpf_map_lookup_elem(&outcomes, &outcome);

	if (count)
		(*count)++;
	return verdict_of(outcome);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
