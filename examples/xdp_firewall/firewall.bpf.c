// SPDX-License-Identifier: MIT
/*
 * A packet filter at the earliest place there is: in XDP, before the kernel has allocated anything.
 *
 *   Ethernet [VLAN [VLAN]]  ->  IPv4 [options]            ->  TCP, UDP, SCTP: is the destination port blocked?
 *                               IPv6 [extension headers]      ICMP echo request: answer it from here
 *
 * Every packet has one outcome (enum outcome), the outcome decides the verdict (verdict_of), and each outcome
 * is counted. Read the file from its end: firewall() is the program, inspect() the order of the questions.
 *
 * The verifier's one demand shapes all of it: no byte of the packet may be touched before a comparison with
 * the end of the packet has shown that it is there. take() is where that comparison is made.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

#define MAX_VLAN_TAGS 2   /* 802.1Q alone, or within 802.1ad ("QinQ") */
#define MAX_EXTENSIONS 6  /* RFC 8200 recommends an order with at most that many before the payload */
#define MAX_OFFSET 4096   /* no header starts behind it; the verifier wants to see some bound */
#define DEFAULT_TTL 64

#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET_MASK 0x1fff  /* in units of 8 bytes */

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

/* ---- What a user of the firewall sets and reads ---------------------------------------------------------- */

/* What became of a packet; the index into `statistics`. */
enum outcome {
	NOT_IP,         /* ARP and the rest: not ours to judge */
	PASSED,         /* no rule spoke against it */
	ALLOWED_SOURCE, /* its source address has an allowed prefix: ports are not looked at */
	BLOCKED_PORT,   /* its destination port is blocked */
	MALFORMED,      /* a header is cut short, or a length in it is a lie */
	BAD_FRAGMENT,   /* a fragment made to slip its ports past a filter (RFC 1858, RFC 3128) */
	ECHO_ANSWERED,  /* turned round into the reply to a ping */
	OUTCOMES,
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

/* Destination ports of TCP, UDP and SCTP, as plain numbers: blocked_ports[23] = 1. The value 0 lets pass. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, __u32);
} blocked_ports SEC(".maps");

/* A key of a longest-prefix-match map: how many bits of the address count, then the address as on the wire. */
struct prefix_v4 {
	__u32 length;
	__u8 address[4];
};

struct prefix_v6 {
	__u32 length;
	__u8 address[16];
};

/* Sources that may talk to every port. The longest prefix that fits decides: 1 allows, 0 takes it back, so
 * that 10.0.0.0/8 can be allowed and 10.66.0.0/16 within it not. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the kernel has no other kind of trie */
	__type(key, struct prefix_v4);
	__type(value, __u32);
} allowed_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix_v6);
	__type(value, __u32);
} allowed_v6 SEC(".maps");

/* One counter for each outcome and CPU: no CPU waits for another, and the reader adds them up. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, struct counter);
} statistics SEC(".maps");

/* A constant that is set before the program is loaded: the verifier knows its value and cuts dead code away. */
const volatile __u8 answer_ping = 1;

/* ---- Walking over the packet ----------------------------------------------------------------------------- */

/* How far the packet has been read. */
struct cursor {
	struct xdp_md *ctx;
	void *start;
	void *end;
	__u32 offset; /* of the first byte that has not been read */
};

/* Return the next `size` bytes (a constant) and move behind them, or NULL if the packet ends before. */
static __always_inline void *take(struct cursor *cursor, const __u64 size)
{
	void *header = cursor->start + cursor->offset;

	if (cursor->offset > MAX_OFFSET || header + size > cursor->end)
		return NULL;
	cursor->offset += size;
	return header;
}

/* Move over `size` bytes that nobody reads: options, extension headers. */
static __always_inline void skip(struct cursor *cursor, __u32 size)
{
	cursor->offset += size;
}

struct vlan_tag {
	__be16 priority_and_id;
	__be16 protocol; /* of what follows */
};

/* The first 8 bytes of ICMP and ICMPv6, which agree for echo requests and replies. */
struct icmp_echo {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 id;
	__be16 sequence;
};

/* The first 8 bytes that all extension headers of IPv6 share; what `length` counts depends on the header. */
struct extension {
	__u8 next;
	__u8 length;
	__be16 fragment; /* of the fragment header: offset in the upper 13 bits, "more" in the lowest */
	__u32 rest;
};

/* What the IP header says of its payload, whichever version it has. */
struct payload {
	__u8 protocol;
	_Bool plain;   /* no options, no extension headers, no fragment: simple enough to be answered from here */
	__u16 offset;  /* where this fragment belongs, in units of 8 bytes; 0 in a packet that is no fragment */
	__u32 length;  /* in bytes; an Ethernet frame may be longer, for it is padded to 60 bytes */
};

/* ---- Turning a ping round -------------------------------------------------------------------------------- */

/* A one's complement checksum after a 16-bit word it covers has changed (RFC 1624, equation 3). The rest of the
 * packet need not be read, and a checksum that was wrong stays wrong. It works in either byte order. */
static __always_inline __u16 checksum_after(__u16 checksum, __u16 old_word, __u16 new_word)
{
	__u32 sum = (__u16)~checksum + (__u16)~old_word + new_word;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	/* Zero has two forms here, 0 and 0xffff. Over a packet of nothing but zeros only 0xffff is right, and over
	 * any other it is as good as 0. */
	return sum == 0xffff ? 0xffff : ~sum;
}

static __always_inline void swap_mac_addresses(struct ethhdr *ethernet)
{
	__u8 source[ETH_ALEN];

	__builtin_memcpy(source, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, source, ETH_ALEN);
}

/* A packet to a group of stations must not be answered with that group as its source. */
static __always_inline _Bool is_for_one_station(const struct ethhdr *ethernet)
{
	return !(ethernet->h_dest[0] & 1);
}

/* The code of an echo request is 0, so the word that holds the type is the type in its first byte. */
static __always_inline void turn_icmp_round(struct icmp_echo *icmp, __u8 reply)
{
	icmp->checksum = checksum_after(icmp->checksum, bpf_htons(icmp->type << 8), bpf_htons(reply << 8));
	icmp->type = reply;
}

static __always_inline void turn_ipv4_round(struct iphdr *ip)
{
	__be32 source = ip->saddr;

	/* Swapping two words leaves their sum as it is; only the new time to live changes the checksum. */
	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->check = checksum_after(ip->check, bpf_htons(ip->ttl << 8 | ip->protocol),
				   bpf_htons(DEFAULT_TTL << 8 | ip->protocol));
	ip->ttl = DEFAULT_TTL;
}

static __always_inline void turn_ipv6_round(struct ipv6hdr *ip)
{
	struct in6_addr source = ip->saddr;

	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->hop_limit = DEFAULT_TTL; /* IPv6 has no header checksum, and ICMPv6's does not cover this */
}

/* ---- Reading the headers --------------------------------------------------------------------------------- */

static __always_inline _Bool is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

/* Step over the VLAN tags; true and the protocol of what they carry, or false if the packet ends too early. */
static __always_inline _Bool read_vlan_tags(struct cursor *cursor, __be16 *protocol)
{
	for (int i = 0; i < MAX_VLAN_TAGS && is_vlan(*protocol); i++) {
		struct vlan_tag *tag = take(cursor, sizeof(*tag));

		if (!tag)
			return 0;
		*protocol = tag->protocol;
	}
	return !is_vlan(*protocol);
}

static __always_inline struct iphdr *read_ipv4(struct cursor *cursor, struct payload *payload)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));
	__u32 header, total, fragment;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return NULL;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (total < header || (void *)ip + total > cursor->end)
		return NULL;
	skip(cursor, header - sizeof(*ip));
	fragment = bpf_ntohs(ip->frag_off);
	payload->protocol = ip->protocol;
	payload->offset = fragment & IP_OFFSET_MASK;
	payload->plain = ip->ihl == 5 && !(fragment & (IP_OFFSET_MASK | IP_MORE_FRAGMENTS));
	payload->length = total - header;
	return ip;
}

/* Look at the extension header that `protocol` says is at `offset`. Returned are its length in bytes and, above
 * 16 bits, the protocol of what follows; 0 if `protocol` is no extension header, -1 if the packet ends before.
 *
 * This is a function of its own, neither static nor inlined, for the verifier's sake: it checks such a function
 * once, for whatever arguments. Inlined into the loop below, its four ways through would be walked 4 * 4 * 4 * ...
 * times. What it may not take is a pointer into the packet, so it starts again from the context. */
__noinline int extension_at(struct xdp_md *ctx, __u32 offset, __u8 protocol)
{
	struct cursor cursor = { ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, offset };
	struct extension *extension;
	__u32 length;

	if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING && protocol != IPPROTO_DSTOPTS &&
	    protocol != IPPROTO_FRAGMENT && protocol != IPPROTO_AH)
		return 0;
	extension = take(&cursor, sizeof(*extension));
	if (!extension)
		return -1;
	if (protocol == IPPROTO_FRAGMENT)
		length = sizeof(*extension); /* this one has no length field */
	else if (protocol == IPPROTO_AH)
		length = (extension->length + 2) * 4;
	else
		length = (extension->length + 1) * 8;
	return extension->next << 16 | length;
}

static __always_inline struct ipv6hdr *read_ipv6(struct cursor *cursor, struct payload *payload)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip));
	__u32 unread;

	if (!ip || ip->version != 6)
		return NULL;
	unread = bpf_ntohs(ip->payload_len);
	if ((void *)(ip + 1) + unread > cursor->end)
		return NULL;
	payload->protocol = ip->nexthdr;
	payload->offset = 0;
	payload->plain = 1;
	for (int i = 0; i <= MAX_EXTENSIONS; i++) {
		int found = extension_at(cursor->ctx, cursor->offset, payload->protocol);
		__u32 length = found & 0xffff;

		if (!found) {
			payload->length = unread;
			return ip;
		}
		if (found < 0 || length > unread)
			return NULL;
		if (payload->protocol == IPPROTO_FRAGMENT) {
			struct extension *fragment = take(cursor, sizeof(*fragment));

			if (!fragment)
				return NULL;
			payload->offset = bpf_ntohs(fragment->fragment) >> 3;
		} else {
			skip(cursor, length);
		}
		payload->protocol = found >> 16;
		payload->plain = 0;
		unread -= length;
		if (payload->offset) { /* what follows is the middle of something, not a header */
			payload->length = unread;
			return ip;
		}
	}
	return NULL; /* more extension headers than anybody needs */
}

/* ---- The rules ------------------------------------------------------------------------------------------- */

static __always_inline _Bool is_allowed_v4(const struct iphdr *ip)
{
	struct prefix_v4 key = { .length = 32 };
	__u32 *allowed;

	__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
	allowed = bpf_map_lookup_elem(&allowed_v4, &key);
	return allowed && *allowed;
}

static __always_inline _Bool is_allowed_v6(const struct ipv6hdr *ip)
{
	struct prefix_v6 key = { .length = 128 };
	__u32 *allowed;

	__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
	allowed = bpf_map_lookup_elem(&allowed_v6, &key);
	return allowed && *allowed;
}

static __always_inline enum outcome check_port(__be16 port)
{
	__u16 key = bpf_ntohs(port);
	__u32 *blocked = bpf_map_lookup_elem(&blocked_ports, &key);

	return blocked && *blocked ? BLOCKED_PORT : PASSED;
}

/* The least a header of the protocol has, in bytes; 0 for a protocol without ports. */
static __always_inline __u32 least_header(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return sizeof(struct tcphdr);
	case IPPROTO_UDP:
		return sizeof(struct udphdr);
	case IPPROTO_SCTP:
		return 12;
	default:
		return 0;
	}
}

/* Judge by the destination port, which TCP, UDP and SCTP keep at the same place. */
static __always_inline enum outcome inspect_ports(struct cursor *cursor, const struct payload *payload)
{
	__u32 header = least_header(payload->protocol);
	struct udphdr *ports;

	if (!header)
		return PASSED;
	/* A later fragment has no ports. The first one was judged, and without it nothing is put together; but one
	 * at offset 1 would overwrite the TCP header behind the ports, and nobody sends such a thing in good faith. */
	if (payload->offset)
		return payload->offset == 1 ? BAD_FRAGMENT : PASSED;
	if (payload->length < header)
		return payload->plain ? MALFORMED : BAD_FRAGMENT;
	ports = take(cursor, sizeof(*ports));
	if (!ports)
		return MALFORMED;
	return check_port(ports->dest);
}

/* Return the header of a ping that may be answered from here, else NULL. */
static __always_inline struct icmp_echo *echo_request(struct cursor *cursor, const struct payload *payload,
						      const struct ethhdr *ethernet, __u8 protocol, __u8 type)
{
	struct icmp_echo *icmp;

	if (!answer_ping || payload->protocol != protocol || !payload->plain || !is_for_one_station(ethernet))
		return NULL;
	if (payload->length < sizeof(*icmp))
		return NULL;
	icmp = take(cursor, sizeof(*icmp));
	return icmp && icmp->type == type && icmp->code == 0 ? icmp : NULL;
}

static __always_inline enum outcome inspect_ipv4(struct cursor *cursor, struct ethhdr *ethernet)
{
	struct payload payload;
	struct icmp_echo *icmp;
	struct iphdr *ip = read_ipv4(cursor, &payload);

	if (!ip)
		return MALFORMED;
	icmp = echo_request(cursor, &payload, ethernet, IPPROTO_ICMP, ICMP_ECHO_REQUEST);
	if (icmp) {
		swap_mac_addresses(ethernet);
		turn_ipv4_round(ip);
		turn_icmp_round(icmp, ICMP_ECHO_REPLY);
		return ECHO_ANSWERED;
	}
	return is_allowed_v4(ip) ? ALLOWED_SOURCE : inspect_ports(cursor, &payload);
}

static __always_inline enum outcome inspect_ipv6(struct cursor *cursor, struct ethhdr *ethernet)
{
	struct payload payload;
	struct icmp_echo *icmp;
	struct ipv6hdr *ip = read_ipv6(cursor, &payload);

	if (!ip)
		return MALFORMED;
	icmp = echo_request(cursor, &payload, ethernet, IPPROTO_ICMPV6, ICMPV6_ECHO_REQUEST);
	if (icmp) {
		swap_mac_addresses(ethernet);
		turn_ipv6_round(ip);
		turn_icmp_round(icmp, ICMPV6_ECHO_REPLY);
		return ECHO_ANSWERED;
	}
	return is_allowed_v6(ip) ? ALLOWED_SOURCE : inspect_ports(cursor, &payload);
}

/* The order of the questions: what is it, is it whole, is it a ping, who sent it, to which port. */
static __always_inline enum outcome inspect(struct cursor *cursor)
{
	struct ethhdr *ethernet = take(cursor, sizeof(*ethernet));
	__be16 protocol;

	if (!ethernet)
		return MALFORMED;
	protocol = ethernet->h_proto;
	if (!read_vlan_tags(cursor, &protocol))
		return MALFORMED;
	if (protocol == bpf_htons(ETH_P_IP))
		return inspect_ipv4(cursor, ethernet);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return inspect_ipv6(cursor, ethernet);
	return NOT_IP;
}

/* ---- The program ----------------------------------------------------------------------------------------- */

static __always_inline void count(__u32 outcome, __u64 bytes)
{
	struct counter *counter = bpf_map_lookup_elem(&statistics, &outcome);

	if (!counter) /* never so in an array, but the verifier asks */
		return;
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline int verdict_of(enum outcome outcome)
{
	switch (outcome) {
	case BLOCKED_PORT:
	case MALFORMED:
	case BAD_FRAGMENT:
		return XDP_DROP;
	case ECHO_ANSWERED:
		return XDP_TX;
	default:
		return XDP_PASS;
	}
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	struct cursor cursor = { ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, 0 };
	__u64 bytes = cursor.end - cursor.start;
	enum outcome outcome = inspect(&cursor);

	count(outcome, bytes);
	return verdict_of(outcome);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
