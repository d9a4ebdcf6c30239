/* SPDX-License-Identifier: MIT
 * What the translator and its control plane agree on.
 */
#ifndef NAT64_H
#define NAT64_H

#include <linux/types.h>

#define MAX_BINDINGS 65536
#define MAX_STATIC 256

struct address_v6 {
	__be32 words[4];
};

/* A port, or the id of pings; protocol as IPv4 numbers it (ICMP for both kinds of ping). */
struct endpoint_v6 {
	struct address_v6 address;
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

struct endpoint_v4 {
	__be32 address;
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

/* Which address and port of the pool a host of the IPv6 side has, for all its peers (RFC 6146, section 2). */
struct binding {
	struct endpoint_v4 outside;
	__u64 sent;
};

struct back {
	struct endpoint_v6 inside;
	__u32 zero;
	__u64 received;
};

/* One address and some of its ports; `next` is the one to try first. */
struct pool {
	__be32 address;
	__u16 first;
	__u16 ports;
	__u32 next;
};

/* What became of a packet; the index into `outcomes`. */
enum outcome {
	NOT_OURS,      /* another protocol, or an address that nobody translates */
	MALFORMED,
	FRAGMENT,      /* ports are in the first one only; nothing is put together here */
	EXPIRED,
	UNSUPPORTED,   /* another protocol than TCP, UDP, ping; options; a UDP packet without checksum */
	NO_BINDING,    /* to the pool, and nobody asked for it */
	EXHAUSTED,     /* no port of the pool is left */
	TOO_BIG,
	FAILED,        /* the kernel could not change the packet */
	TRANSLATED,
	OUTCOMES,
};

#endif
