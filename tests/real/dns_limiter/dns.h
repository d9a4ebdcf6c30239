/* SPDX-License-Identifier: MIT
 * Queries of DNS (RFC 1035), as far as a limiter reads them, and what it keeps.
 */
#ifndef DNS_H
#define DNS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DNS_PORT 53
#define DNS_RESPONSE 0x8000
#define DNS_OPCODE 0x7800
#define DNS_TRUNCATED 0x0200
#define DNS_RECURSION_DESIRED 0x0100
#define DNS_TYPE_ANY 255
#define MAX_NAME 255
#define MAX_LABEL 63
#define MAX_LABELS 128

#define IP_FRAGMENT 0x3fff
#define ANSWER_TTL 64

struct dns {
	__be16 id;
	__be16 flags;
	__be16 questions;
	__be16 answers;
	__be16 authorities;
	__be16 additional;
};

struct question {
	__be16 type;
	__be16 class;
};

#define LEAST_QUERY (sizeof(struct udphdr) + sizeof(struct dns) + 1 + sizeof(struct question))
#define MOST_ANSWER (sizeof(struct udphdr) + sizeof(struct dns) + MAX_NAME + sizeof(struct question))

/* A network of clients, which shares one bucket; IPv4 takes the first word alone. */
struct client {
	__u32 family;
	__be32 words[4];
};

/* Time that was saved up; a query costs some. Without a rate nothing is ever saved up again. */
struct bucket {
	struct bpf_spin_lock lock;
	__u32 refused;  /* queries that found it empty */
	__u64 credit;   /* nanoseconds */
	__u64 last;     /* when it was last counted */
};

struct prefix_v4 {
	__u32 length;
	__be32 address;
};

struct prefix_v6 {
	__u32 length;
	__be32 words[4];
};

/* What became of a packet; the index into `outcomes`. */
enum outcome {
	NOT_DNS,
	MALFORMED,
	FRAGMENT,
	RESPONSE,       /* an answer that nobody here has asked for */
	ALLOWED,        /* its source is on the list */
	PASSED,
	TRUNCATED,      /* told to come back by TCP, as its bucket is empty */
	ANY_TRUNCATED,  /* the same, as it asks for everything there is */
	DROPPED,
	OUTCOMES,
};

/* What is known of a query. Offsets are from the start of the packet. */
struct query {
	struct client source;
	__u32 ip_at;
	__u32 udp_at;
	__u32 udp_length;
	__u32 question_end;
	__u16 type;
	__u16 flags;
};

#endif
