// SPDX-License-Identifier: MIT
/*
 * A rate limiter before a name server, in XDP.
 *
 * Each network of clients has a bucket; a query takes a token from it, and tokens come back with time. A query that finds
 * none is dropped, and every `slip`th of them is answered "truncated": a real client comes back by TCP, whose source
 * addresses cannot be forged, and a victim of forged ones gets an answer that is no longer than the query. Queries for
 * everything there is (ANY) are always sent to TCP. Sources on the list are let through. Broken queries are dropped.
 */
#include "answer.h"

#define NSEC_PER_SEC 1000000000ULL

const volatile __u32 rate = 20;      /* tokens a second; 0 for none */
const volatile __u32 burst = 40;     /* tokens of a full bucket */
const volatile __u32 slip = 2;       /* 0 for no answers */
const volatile __u32 length_v4 = 24; /* of the networks that share a bucket */
const volatile __u32 length_v6 = 56;
const volatile __u8 limit_any = 1;

struct {
	__uint(type, BPF_MAP_TYPE_HASH); /* an LRU map has no locks; the control plane takes out what is full and old */
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct client);
	__type(value, struct bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix_v4);
	__type(value, __u32);
} allowed_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix_v6);
	__type(value, __u32);
} allowed_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

/* ---- Reading a query ------------------------------------------------------------------------------------- */

struct walk {
	struct xdp_md *ctx;
	__u32 offset;
	_Bool ended;
};

/* Step over one label; stop behind the last, or at what is none. Queries have no compressed names. */
static long step_over_label(__u32 index, struct walk *walk)
{
	__u8 length;

	if (bpf_xdp_load_bytes(walk->ctx, walk->offset, &length, sizeof(length)) || length > MAX_LABEL)
		return 1;
	walk->offset += 1 + length;
	walk->ended = !length;
	return walk->ended;
}

/* Read the one question of a query that begins at `udp_at` and ends at `end`. */
static __always_inline enum outcome read_question(struct xdp_md *ctx, struct query *query, __u32 end)
{
	struct walk walk = { .ctx = ctx, .offset = query->udp_at + sizeof(struct udphdr) + sizeof(struct dns) };
	__u32 name_at = walk.offset;
	struct question question;
	struct dns dns;

	if (bpf_xdp_load_bytes(ctx, query->udp_at + sizeof(struct udphdr), &dns, sizeof(dns)))
		return MALFORMED;
	query->flags = bpf_ntohs(dns.flags);
	if (query->flags & DNS_RESPONSE)
		return RESPONSE;
	if (query->flags & (DNS_OPCODE | DNS_TRUNCATED) || dns.questions != bpf_htons(1) || dns.answers)
		return MALFORMED;
	bpf_loop(MAX_LABELS, step_over_label, &walk, 0);
	if (!walk.ended || walk.offset - name_at > MAX_NAME)
		return MALFORMED;
	if (bpf_xdp_load_bytes(ctx, walk.offset, &question, sizeof(question)))
		return MALFORMED;
	query->question_end = walk.offset + sizeof(question);
	query->type = bpf_ntohs(question.type);
	return query->question_end > end ? MALFORMED : PASSED;
}

/* Read the header of UDP, whose packet ends at `end`. */
static __always_inline enum outcome read_udp(struct xdp_md *ctx, struct query *query, __u32 end)
{
	struct udphdr udp;

	if (bpf_xdp_load_bytes(ctx, query->udp_at, &udp, sizeof(udp)))
		return MALFORMED;
	if (udp.dest != bpf_htons(DNS_PORT))
		return NOT_DNS;
	query->udp_length = bpf_ntohs(udp.len);
	if (query->udp_length < LEAST_QUERY || query->udp_at + query->udp_length > end)
		return MALFORMED;
	return read_question(ctx, query, query->udp_at + query->udp_length);
}

static __always_inline enum outcome read_ipv4(struct xdp_md *ctx, struct query *query, __u32 size)
{
	struct iphdr ip;
	__u32 end;

	if (bpf_xdp_load_bytes(ctx, query->ip_at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return MALFORMED;
	if (ip.protocol != IPPROTO_UDP)
		return NOT_DNS;
	if (ip.frag_off & bpf_htons(IP_FRAGMENT))
		return FRAGMENT;
	end = query->ip_at + bpf_ntohs(ip.tot_len);
	if (ip.ihl != 5 || end > size)
		return MALFORMED;
	query->source.family = ETH_P_IP;
	query->source.words[0] = ip.saddr;
	query->udp_at = query->ip_at + sizeof(ip);
	return read_udp(ctx, query, end);
}

static __always_inline enum outcome read_ipv6(struct xdp_md *ctx, struct query *query, __u32 size)
{
	struct ipv6hdr ip;
	__u32 end;

	if (bpf_xdp_load_bytes(ctx, query->ip_at, &ip, sizeof(ip)) || ip.version != 6)
		return MALFORMED;
	if (ip.nexthdr == IPPROTO_FRAGMENT)
		return FRAGMENT;
	if (ip.nexthdr != IPPROTO_UDP)
		return NOT_DNS;
	end = query->ip_at + sizeof(ip) + bpf_ntohs(ip.payload_len);
	if (end > size)
		return MALFORMED;
	query->source.family = ETH_P_IPV6;
	__builtin_memcpy(query->source.words, &ip.saddr, sizeof(ip.saddr));
	query->udp_at = query->ip_at + sizeof(ip);
	return read_udp(ctx, query, end);
}

static __always_inline enum outcome read_query(struct xdp_md *ctx, struct query *query)
{
	struct { __be16 id; __be16 protocol; } tag;
	__u32 size = bpf_xdp_get_buff_len(ctx);
	struct ethhdr ethernet;

	if (bpf_xdp_load_bytes(ctx, 0, &ethernet, sizeof(ethernet)))
		return MALFORMED;
	query->ip_at = sizeof(ethernet);
	if (ethernet.h_proto == bpf_htons(ETH_P_8021Q)) {
		if (bpf_xdp_load_bytes(ctx, query->ip_at, &tag, sizeof(tag)))
			return MALFORMED;
		ethernet.h_proto = tag.protocol;
		query->ip_at += sizeof(tag);
	}
	if (ethernet.h_proto == bpf_htons(ETH_P_IP))
		return read_ipv4(ctx, query, size);
	return ethernet.h_proto == bpf_htons(ETH_P_IPV6) ? read_ipv6(ctx, query, size) : NOT_DNS;
}

/* ---- Judging it ------------------------------------------------------------------------------------------ */

static __always_inline _Bool is_allowed(const struct client *source)
{
	struct prefix_v4 v4 = { .length = 32, .address = source->words[0] };
	struct prefix_v6 v6 = { .length = 128 };
	__u32 *allowed;

	__builtin_memcpy(v6.words, source->words, sizeof(v6.words));
	if (source->family == ETH_P_IP)
		allowed = bpf_map_lookup_elem(&allowed_v4, &v4);
	else
		allowed = bpf_map_lookup_elem(&allowed_v6, &v6);
	return allowed && *allowed;
}

/* Keep the first `length` bits of an address. */
static __always_inline void keep_prefix(struct client *client, __u32 length)
{
	for (__u32 i = 0; i < 4; i++) {
		__u32 kept = length > 32 * i ? length - 32 * i : 0;
		__u32 mask = kept >= 32 ? 0xffffffff : ~(__u32)(0xffffffffULL >> kept);

		client->words[i] &= bpf_htonl(mask);
	}
}

static __always_inline struct bucket *bucket_of(const struct client *source, __u64 cost, __u64 now)
{
	struct bucket full = { .credit = burst * cost, .last = now };
	struct client network = *source;
	struct bucket *bucket;

	keep_prefix(&network, source->family == ETH_P_IP ? length_v4 : length_v6);
	bucket = bpf_map_lookup_elem(&buckets, &network);
	if (bucket)
		return bucket;
	bpf_map_update_elem(&buckets, &network, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&buckets, &network);
}

/* Take a token; 0, or the number of the query among those that got none. */
static __always_inline __u32 take_token(struct bucket *bucket, __u64 cost, __u64 now)
{
	__u64 full = burst * cost;
	__u32 refused = 0;

	bpf_spin_lock(&bucket->lock);
	if (now > bucket->last) {
		bucket->credit += now - bucket->last;
		bucket->last = now;
	}
	if (bucket->credit > full)
		bucket->credit = full;
	if (bucket->credit >= cost)
		bucket->credit -= cost;
	else
		refused = ++bucket->refused;
	bpf_spin_unlock(&bucket->lock);
	return refused;
}

static __always_inline enum outcome limited(struct xdp_md *ctx, const struct query *query)
{
	__u64 now = rate ? bpf_ktime_get_ns() : 0, cost = rate ? NSEC_PER_SEC / rate : 1;
	struct bucket *bucket = bucket_of(&query->source, cost, now);
	__u32 refused;

	if (!bucket)
		return PASSED; /* a limiter that has no memory is no reason to be down */
	refused = take_token(bucket, cost, now);
	if (!refused)
		return PASSED;
	if (!slip || refused % slip)
		return DROPPED;
	return answer_truncated(ctx, query) ? TRUNCATED : DROPPED;
}

static __always_inline enum outcome judge(struct xdp_md *ctx)
{
	struct query query = { .ip_at = 0 };
	enum outcome outcome = read_query(ctx, &query);

	if (outcome != PASSED)
		return outcome;
	if (is_allowed(&query.source))
		return ALLOWED;
	if (limit_any && query.type == DNS_TYPE_ANY)
		return answer_truncated(ctx, &query) ? ANY_TRUNCATED : DROPPED;
	return limited(ctx, &query);
}

/* ---- The program ----------------------------------------------------------------------------------------- */

SEC("xdp")
int limiter(struct xdp_md *ctx)
{
	__u32 outcome = judge(ctx);
	__u64 *count = bpf_map_lookup_elem(&outcomes, &outcome);

	if (count)
		(*count)++;
	switch (outcome) {
	case NOT_DNS:
	case ALLOWED:
	case PASSED:
		return XDP_PASS;
	case TRUNCATED:
	case ANY_TRUNCATED:
		return XDP_TX;
	default:
		return XDP_DROP;
	}
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
