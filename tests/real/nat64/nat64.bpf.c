// SPDX-License-Identifier: MIT
/*
 * NAT64: hosts with IPv6 alone talk to hosts with IPv4 alone, in two tc programs.
 *
 *   nat64   host6 -> 64:ff9b::192.0.2.1   =>   pool:port -> 192.0.2.1       and remembers who has the port
 *   nat46   192.0.2.1 -> pool:port        =>   64:ff9b::192.0.2.1 -> host6
 *
 * Headers are translated as RFC 7915 says, addresses as RFC 6052 says, and ports are bound as by RFC 6146: a host's port
 * has one port of the pool for all its peers. Hosts in `static_v6` and `static_v4` have an address of their own and keep
 * their ports. Fragments are refused; so is what is neither TCP, UDP nor a ping.
 */
#include "rewrite.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_BINDINGS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct endpoint_v6);
	__type(value, struct binding);
} bindings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_BINDINGS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct endpoint_v4);
	__type(value, struct back);
} backs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_STATIC);
	__type(key, struct address_v6);
	__type(value, __be32);
} static_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_STATIC);
	__type(key, __be32);
	__type(value, struct address_v6);
} static_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pool);
} pools SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

/* The first 96 bits of the addresses that mean an IPv4 address: 64:ff9b::/96, unless set otherwise before the load. */
const volatile __u8 prefix[12] = { 0x00, 0x64, 0xff, 0x9b };
/* The longest IPv6 packet that the other side takes. */
const volatile __u32 mtu = 1500;

#define ATTEMPTS 16

/* ---- Bindings -------------------------------------------------------------------------------------------- */

static __always_inline struct address_v6 with_prefix(__be32 address)
{
	struct address_v6 made = { .words = { 0, 0, 0, address } };

	for (int i = 0; i < 12; i++)
		((__u8 *)&made)[i] = prefix[i];
	return made;
}

static __always_inline _Bool has_prefix(const struct address_v6 *address)
{
	__u8 different = 0;

	for (int i = 0; i < 12; i++)
		different |= ((const __u8 *)address)[i] ^ prefix[i];
	return !different;
}

/* Take the next free port of the pool for `inside`; null when none is found. */
static __always_inline struct binding *bind(const struct endpoint_v6 *inside)
{
	struct back back = { .inside = *inside };
	struct binding binding = { .sent = 0 };
	__u32 zero = 0;
	struct pool *pool = bpf_map_lookup_elem(&pools, &zero);

	if (!pool || !pool->ports)
		return 0;
	binding.outside.address = pool->address;
	binding.outside.protocol = inside->protocol;
	for (int i = 0; i < ATTEMPTS; i++) {
		__u32 turn = __sync_fetch_and_add(&pool->next, 1);

		binding.outside.port = bpf_htons(pool->first + turn % pool->ports);
		if (bpf_map_update_elem(&backs, &binding.outside, &back, BPF_NOEXIST))
			continue;
		if (bpf_map_update_elem(&bindings, inside, &binding, BPF_NOEXIST)) /* another CPU was faster */
			bpf_map_delete_elem(&backs, &binding.outside);
		return bpf_map_lookup_elem(&bindings, inside);
	}
	return 0;
}

/* The address and port that the sender has outside. */
static __always_inline enum outcome outside_of(const struct address_v6 *source, const struct transport *transport,
					       struct endpoint_v4 *outside)
{
	struct endpoint_v6 inside = { .address = *source, .port = transport->source };
	__be32 *own = bpf_map_lookup_elem(&static_v6, source);
	struct binding *binding;

	inside.protocol = transport->protocol;
	if (own) {
		outside->address = *own;
		outside->port = transport->source;
		return TRANSLATED;
	}
	binding = bpf_map_lookup_elem(&bindings, &inside);
	if (!binding)
		binding = bind(&inside);
	if (!binding)
		return EXHAUSTED;
	*outside = binding->outside;
	__sync_fetch_and_add(&binding->sent, 1);
	return TRANSLATED;
}

/* The host whose address and port these are outside. */
static __always_inline enum outcome inside_of(__be32 destination, const struct transport *transport,
					      struct endpoint_v6 *inside)
{
	struct endpoint_v4 outside = { .address = destination, .port = transport->destination };
	struct address_v6 *own = bpf_map_lookup_elem(&static_v4, &destination);
	struct back *back;

	outside.protocol = transport->protocol;
	if (own) {
		inside->address = *own;
		inside->port = transport->destination;
		return TRANSLATED;
	}
	back = bpf_map_lookup_elem(&backs, &outside);
	if (!back)
		return NO_BINDING;
	*inside = back->inside;
	__sync_fetch_and_add(&back->received, 1);
	return TRANSLATED;
}

/* ---- From IPv6 to IPv4 ----------------------------------------------------------------------------------- */

static __always_inline struct iphdr header_v4(const struct ipv6hdr *ip6, __u8 protocol, __be32 source, __be32 destination)
{
	__u32 length = sizeof(struct iphdr) + bpf_ntohs(ip6->payload_len);
	struct iphdr ip = { .version = 4, .ihl = 5, .protocol = protocol, .saddr = source, .daddr = destination };

	ip.tos = ip6->priority << 4 | ip6->flow_lbl[0] >> 4;
	ip.tot_len = bpf_htons(length);
	ip.ttl = ip6->hop_limit - 1;
	/* A packet that fits every IPv6 path anyway may be fragmented behind us (RFC 7915, section 5.1). */
	ip.frag_off = bpf_htons(length + 20 > IPV6_LEAST_MTU ? IP_DONT_FRAGMENT : 0);
	ip.check = fold(bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0));
	return ip;
}

static __always_inline __s64 pseudo_to_v4(const struct ipv6hdr *ip6, struct pair_v4 *to, __u8 protocol)
{
	struct pseudo_v6 pseudo = { .next_header = bpf_htonl(IPPROTO_ICMPV6) };

	if (protocol != IPPROTO_ICMP)
		return bpf_csum_diff((__be32 *)&ip6->saddr, 32, (__be32 *)to, sizeof(*to), 0);
	__builtin_memcpy(&pseudo.source, &ip6->saddr, 32);
	pseudo.length = bpf_htonl(bpf_ntohs(ip6->payload_len));
	return bpf_csum_diff((__be32 *)&pseudo, sizeof(pseudo), 0, 0, 0);
}

static __always_inline enum outcome to_v4(struct __sk_buff *skb)
{
	__u32 at = ETH_HLEN + sizeof(struct iphdr), port_at = offsetof(struct udphdr, source);
	struct transport transport = { .kind = 0 };
	struct endpoint_v4 outside = { .port = 0 };
	struct address_v6 source, destination;
	struct pair_v4 pair;
	enum outcome outcome;
	struct ipv6hdr ip6;
	struct iphdr ip;
	__u8 protocol;
	__s64 change;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip6, sizeof(ip6)) < 0 || ip6.version != 6)
		return MALFORMED;
	__builtin_memcpy(&source, &ip6.saddr, sizeof(source));
	__builtin_memcpy(&destination, &ip6.daddr, sizeof(destination));
	if (!has_prefix(&destination))
		return NOT_OURS;
	if (ETH_HLEN + sizeof(ip6) + bpf_ntohs(ip6.payload_len) > skb->len)
		return MALFORMED;
	if (ip6.nexthdr == IPPROTO_FRAGMENT)
		return FRAGMENT;
	if (ip6.nexthdr == IPPROTO_ICMP)
		return UNSUPPORTED;
	if (ip6.hop_limit <= 1)
		return EXPIRED;
	protocol = ip6.nexthdr == IPPROTO_ICMPV6 ? IPPROTO_ICMP : ip6.nexthdr;
	outcome = read_transport(skb, ETH_HLEN + sizeof(ip6), bpf_ntohs(ip6.payload_len), protocol, &transport);
	if (outcome != TRANSLATED)
		return outcome;
	if (protocol == IPPROTO_ICMP && kind_v4(transport.kind) == 0xffff)
		return UNSUPPORTED;
	outcome = outside_of(&source, &transport, &outside);
	if (outcome != TRANSLATED)
		return outcome;

	pair.source = outside.address;
	pair.destination = destination.words[3];
	ip = header_v4(&ip6, protocol, pair.source, pair.destination);
	change = pseudo_to_v4(&ip6, &pair, protocol);
	if (replace_header(skb, bpf_htons(ETH_P_IP), &ip, sizeof(ip)) || replace_pseudo(skb, at, change, &transport))
		return FAILED;
	if (protocol == IPPROTO_ICMP) {
		if (replace16(skb, at, 0, transport.kind, kind_v4(transport.kind), &transport))
			return FAILED;
		port_at = offsetof(struct icmp_echo, id);
	}
	return replace16(skb, at, port_at, transport.source, outside.port, &transport) ? FAILED : TRANSLATED;
}

/* ---- From IPv4 to IPv6 ----------------------------------------------------------------------------------- */

static __always_inline struct ipv6hdr header_v6(const struct iphdr *ip, __u8 next, const struct address_v6 *source,
						const struct address_v6 *destination)
{
	struct ipv6hdr ip6 = { .version = 6, .nexthdr = next, .hop_limit = ip->ttl - 1 };

	ip6.priority = ip->tos >> 4;
	ip6.flow_lbl[0] = ip->tos << 4;
	ip6.payload_len = bpf_htons(bpf_ntohs(ip->tot_len) - sizeof(*ip));
	__builtin_memcpy(&ip6.saddr, source, sizeof(ip6.saddr));
	__builtin_memcpy(&ip6.daddr, destination, sizeof(ip6.daddr));
	return ip6;
}

static __always_inline __s64 pseudo_to_v6(struct iphdr *ip, const struct ipv6hdr *ip6, __u8 protocol)
{
	struct pseudo_v6 pseudo = { .next_header = bpf_htonl(IPPROTO_ICMPV6) };

	if (protocol != IPPROTO_ICMP)
		return bpf_csum_diff((__be32 *)&ip->saddr, 8, (__be32 *)&ip6->saddr, 32, 0);
	__builtin_memcpy(&pseudo.source, &ip6->saddr, 32);
	pseudo.length = bpf_htonl(bpf_ntohs(ip6->payload_len));
	return bpf_csum_diff(0, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
}

static __always_inline _Bool is_ours_v4(__be32 address)
{
	__u32 zero = 0;
	struct pool *pool = bpf_map_lookup_elem(&pools, &zero);

	return (pool && pool->address == address) || bpf_map_lookup_elem(&static_v4, &address);
}

static __always_inline enum outcome to_v6(struct __sk_buff *skb)
{
	__u32 at = ETH_HLEN + sizeof(struct ipv6hdr), port_at = offsetof(struct udphdr, dest);
	struct transport transport = { .kind = 0 };
	struct endpoint_v6 inside = { .port = 0 };
	struct address_v6 source;
	enum outcome outcome;
	struct ipv6hdr ip6;
	struct iphdr ip;
	__u32 length;
	__s64 change;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) < 0 || ip.version != 4 || ip.ihl < 5)
		return MALFORMED;
	if (!is_ours_v4(ip.daddr))
		return NOT_OURS;
	length = bpf_ntohs(ip.tot_len);
	if (length < ip.ihl * 4 || ETH_HLEN + length > skb->len)
		return MALFORMED;
	if (ip.ihl != 5)
		return UNSUPPORTED;
	if (ip.frag_off & bpf_htons(IP_FRAGMENT))
		return FRAGMENT;
	if (ip.ttl <= 1)
		return EXPIRED;
	if (length + sizeof(ip6) - sizeof(ip) > mtu)
		return TOO_BIG;
	outcome = read_transport(skb, ETH_HLEN + sizeof(ip), length - sizeof(ip), ip.protocol, &transport);
	if (outcome != TRANSLATED)
		return outcome;
	if (ip.protocol == IPPROTO_ICMP && kind_v6(transport.kind) == 0xffff)
		return UNSUPPORTED;
	outcome = inside_of(ip.daddr, &transport, &inside);
	if (outcome != TRANSLATED)
		return outcome;

	source = with_prefix(ip.saddr);
	ip6 = header_v6(&ip, ip.protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : ip.protocol, &source, &inside.address);
	change = pseudo_to_v6(&ip, &ip6, ip.protocol);
	if (replace_header(skb, bpf_htons(ETH_P_IPV6), &ip6, sizeof(ip6)) || replace_pseudo(skb, at, change, &transport))
		return FAILED;
	if (ip.protocol == IPPROTO_ICMP) {
		if (replace16(skb, at, 0, transport.kind, kind_v6(transport.kind), &transport))
			return FAILED;
		port_at = offsetof(struct icmp_echo, id);
	}
	return replace16(skb, at, port_at, transport.destination, inside.port, &transport) ? FAILED : TRANSLATED;
}

/* ---- The programs ---------------------------------------------------------------------------------------- */

static __always_inline int counted(__u32 outcome)
{
	__u64 *count = bpf_map_lookup_elem(&outcomes, &outcome);

	if (count)
		(*count)++;
	return outcome == NOT_OURS || outcome == TRANSLATED ? BPF_OK : BPF_DROP;
}

SEC("tc")
int nat64(struct __sk_buff *skb)
{
	return counted(skb->protocol == bpf_htons(ETH_P_IPV6) ? to_v4(skb) : NOT_OURS);
}

SEC("tc")
int nat46(struct __sk_buff *skb)
{
	return counted(skb->protocol == bpf_htons(ETH_P_IP) ? to_v6(skb) : NOT_OURS);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
