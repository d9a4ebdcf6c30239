// SPDX-License-Identifier: MIT
/* A shield against floods of SYNs: each is answered with a cookie and forgotten, and only who sends the cookie back is
 * let through to the server, for as long as it stays in the table of clients.
 *
 * Below a rate of SYNs per second the shield is down, and everything passes.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_FRAGMENT 0x3fff
#define SECOND 1000000000ULL
#define OPTION_LENGTH 4 /* that of the MSS, the only option of an answer */
#define ANSWER_LENGTH (sizeof(struct tcphdr) + OPTION_LENGTH)
#define MAX_TCP_LENGTH 60
#define DEFAULT_WINDOW 65535

enum outcome {
	NOT_OURS,
	MALFORMED,
	SHIELD_DOWN,
	KNOWN_CLIENT,
	COOKIE_SENT,
	COOKIE_GOOD,
	COOKIE_BAD,
	OUT_OF_NOWHERE,
	FAILED,
	OUTCOMES,
};

struct client {
	__be32 source[4];
	__be32 destination[4];
	__be16 source_port;
	__be16 destination_port;
};

struct config {
	__u32 threshold; /* SYNs a second that are let through; 0: the shield is always up */
	__u32 remember;  /* seconds for which a client is known; 0 for ever */
	__u16 mss4, mss6;
};

struct rate {
	__u64 since;
	__u64 syns;
};

struct packet {
	struct ethhdr *eth;
	struct iphdr *ip4;
	struct ipv6hdr *ip6;
	struct tcphdr *tcp;
	__u32 tcp_length;
	__u64 length; /* of the whole frame */
	_Bool v4;     /* asked for instead of the pointers: the verifier does not know that one of them is there */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be16);
	__type(value, __u8);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct client);
	__type(value, __u64);
} clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rate);
} rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

static __always_inline enum outcome parse(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 protocol;

	packet->eth = data;
	packet->length = end - data;
	if ((void *)(packet->eth + 1) > end)
		return MALFORMED;
	data = packet->eth + 1;
	if (packet->eth->h_proto == bpf_htons(ETH_P_IP)) {
		packet->v4 = 1;
		packet->ip4 = data;
		if ((void *)(packet->ip4 + 1) > end || packet->ip4->version != 4)
			return MALFORMED;
		/* Options of IP are rare, and of no use to a server that is under attack. */
		if (packet->ip4->ihl != 5 || packet->ip4->frag_off & bpf_htons(IP_FRAGMENT))
			return packet->ip4->ihl < 5 ? MALFORMED : NOT_OURS;
		protocol = packet->ip4->protocol;
		data = packet->ip4 + 1;
	} else if (packet->eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		packet->ip6 = data;
		if ((void *)(packet->ip6 + 1) > end || packet->ip6->version != 6)
			return MALFORMED;
		protocol = packet->ip6->nexthdr;
		data = packet->ip6 + 1;
	} else {
		return NOT_OURS;
	}
	if (protocol != IPPROTO_TCP)
		return NOT_OURS;
	packet->tcp = data;
	if ((void *)(packet->tcp + 1) > end || packet->tcp->doff < 5)
		return MALFORMED;
	packet->tcp_length = packet->tcp->doff * 4;
	if (data + packet->tcp_length > end)
		return MALFORMED;
	return bpf_map_lookup_elem(&ports, &packet->tcp->dest) ? KNOWN_CLIENT : NOT_OURS;
}

static __always_inline void name(const struct packet *packet, struct client *client)
{
	if (packet->v4) {
		client->source[0] = packet->ip4->saddr;
		client->destination[0] = packet->ip4->daddr;
	} else {
		__builtin_memcpy(client->source, &packet->ip6->saddr, 16);
		__builtin_memcpy(client->destination, &packet->ip6->daddr, 16);
	}
	client->source_port = packet->tcp->source;
	client->destination_port = packet->tcp->dest;
}

/* Count a SYN, and tell whether there are so many of them that the shield is up. */
static __always_inline _Bool is_up(const struct config *set, __u64 now)
{
	__u32 key = 0;
	struct rate *rate = bpf_map_lookup_elem(&rates, &key);

	if (!set->threshold || !rate)
		return 1;
	if (now - rate->since >= SECOND) {
		rate->since = now;
		rate->syns = 0;
	}
	return __sync_fetch_and_add(&rate->syns, 1) >= set->threshold;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void swap(void *one, void *other, const __u32 size)
{
	__u8 held[16];

	__builtin_memcpy(held, one, size);
	__builtin_memcpy(one, other, size);
	__builtin_memcpy(other, held, size);
}

/* Make of a SYN the answer to it: as long as an answer is, all fields turned round, checksums new. */
static __always_inline enum outcome answer(struct xdp_md *ctx, int growth, __u32 cookie, __u16 mss)
{
	struct packet packet = {};
	__be32 *option;
	__u64 sum;
	__be16 port;

	if (bpf_xdp_adjust_tail(ctx, growth))
		return FAILED;
	if (parse(ctx, &packet) != KNOWN_CLIENT && !packet.tcp)
		return FAILED;
	if ((void *)packet.tcp + ANSWER_LENGTH > (void *)(long)ctx->data_end)
		return FAILED;
	swap(packet.eth->h_dest, packet.eth->h_source, ETH_ALEN);
	port = packet.tcp->source;
	packet.tcp->source = packet.tcp->dest;
	packet.tcp->dest = port;
	packet.tcp->ack_seq = bpf_htonl(bpf_ntohl(packet.tcp->seq) + 1);
	packet.tcp->seq = bpf_htonl(cookie);
	((__be16 *)packet.tcp)[6] = 0;
	packet.tcp->doff = ANSWER_LENGTH / 4;
	packet.tcp->syn = 1;
	packet.tcp->ack = 1;
	packet.tcp->window = bpf_htons(DEFAULT_WINDOW);
	packet.tcp->urg_ptr = 0;
	packet.tcp->check = 0;
	option = (void *)(packet.tcp + 1);
	*option = bpf_htonl(2 << 24 | OPTION_LENGTH << 16 | mss);
	sum = bpf_csum_diff(0, 0, (__be32 *)packet.tcp, ANSWER_LENGTH, 0);
	sum += bpf_htons(IPPROTO_TCP) + bpf_htons(ANSWER_LENGTH);
	if (packet.v4) {
		swap(&packet.ip4->saddr, &packet.ip4->daddr, 4);
		packet.ip4->tot_len = bpf_htons(sizeof(struct iphdr) + ANSWER_LENGTH);
		packet.ip4->ttl = 64;
		packet.ip4->check = 0;
		packet.ip4->check = fold(bpf_csum_diff(0, 0, (__be32 *)packet.ip4, sizeof(struct iphdr), 0));
		packet.tcp->check = fold(bpf_csum_diff(0, 0, &packet.ip4->saddr, 8, sum));
	} else {
		swap(&packet.ip6->saddr, &packet.ip6->daddr, 16);
		packet.ip6->payload_len = bpf_htons(ANSWER_LENGTH);
		packet.ip6->hop_limit = 64;
		packet.tcp->check = fold(bpf_csum_diff(0, 0, (__be32 *)&packet.ip6->saddr, 32, sum));
	}
	return COOKIE_SENT;
}

static __always_inline enum outcome send_cookie(struct xdp_md *ctx, struct packet *packet, const struct config *set)
{
	__u32 tcp_at = sizeof(struct ethhdr) + (packet->v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	int growth = (int)(tcp_at + ANSWER_LENGTH) - (int)packet->length;
	__u32 tcp_length = packet->tcp_length;
	__u32 header[MAX_TCP_LENGTH / 4] = {};
	struct tcphdr *tcp = (void *)header;
	__s64 cookie;

	/* The verifier knows the options' greatest length, not that they are in the packet: they are copied. */
	if (tcp_length < sizeof(struct tcphdr) || tcp_length > MAX_TCP_LENGTH)
		return MALFORMED;
	if (bpf_xdp_load_bytes(ctx, tcp_at, header, tcp_length))
		return MALFORMED;
	if (packet->v4)
		cookie = bpf_tcp_raw_gen_syncookie_ipv4(packet->ip4, tcp, tcp_length);
	else
		cookie = bpf_tcp_raw_gen_syncookie_ipv6(packet->ip6, tcp, tcp_length);
	if (cookie < 0)
		return FAILED;
	return answer(ctx, growth, (__u32)cookie, packet->v4 ? set->mss4 : set->mss6);
}

static __always_inline enum outcome take_cookie(struct packet *packet, const struct client *client, __u64 now)
{
	long refused;

	if (packet->v4)
		refused = bpf_tcp_raw_check_syncookie_ipv4(packet->ip4, packet->tcp);
	else
		refused = bpf_tcp_raw_check_syncookie_ipv6(packet->ip6, packet->tcp);
	if (refused)
		return COOKIE_BAD;
	bpf_map_update_elem(&clients, client, &now, BPF_ANY);
	return COOKIE_GOOD;
}

static __always_inline enum outcome guard(struct xdp_md *ctx)
{
	struct packet packet = {};
	struct client client = {};
	enum outcome outcome = parse(ctx, &packet);
	__u64 now = bpf_ktime_get_ns(), *known;
	struct config *set;
	__u32 key = 0;

	if (outcome != KNOWN_CLIENT)
		return outcome;
	set = bpf_map_lookup_elem(&config, &key);
	if (!set)
		return SHIELD_DOWN;
	name(&packet, &client);
	known = bpf_map_lookup_elem(&clients, &client);
	if (known && (!set->remember || now - *known < set->remember * SECOND)) {
		*known = now;
		return KNOWN_CLIENT;
	}
	if (packet.tcp->syn) {
		if (packet.tcp->ack || packet.tcp->fin || packet.tcp->rst)
			return MALFORMED;
		return is_up(set, now) ? send_cookie(ctx, &packet, set) : SHIELD_DOWN;
	}
	if (packet.tcp->ack && !packet.tcp->rst)
		return take_cookie(&packet, &client, now);
	return OUT_OF_NOWHERE;
}

SEC("xdp")
int synproxy(struct xdp_md *ctx)
{
	__u32 outcome = guard(ctx);
	__u64 *count = bpf_map_lookup_elem(&outcomes, &outcome);

	if (count)
		*count += 1;
	switch (outcome) {
	case COOKIE_SENT:
		return XDP_TX;
	case NOT_OURS:
	case SHIELD_DOWN:
	case KNOWN_CLIENT:
	case COOKIE_GOOD:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

char _license[] SEC("license") = "GPL";
