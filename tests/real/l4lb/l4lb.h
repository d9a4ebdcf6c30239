/* SPDX-License-Identifier: MIT
 * What the load balancer and its control plane agree on: keys and values of the maps.
 */
#ifndef L4LB_H
#define L4LB_H

#include <linux/types.h>

#define RING_SIZE 251  /* places of each VIP in `rings`; a prime, as Maglev wants it */
#define MAX_VIPS 16
#define MAX_REALS 64
#define MAX_CONNECTIONS 65536
#define GUE_PORT 6080

enum family { FAMILY_NONE, FAMILY_IPV4, FAMILY_IPV6 };

/* An address of either family; IPv4 takes the first word alone, the others are zero. */
struct address {
	__be32 words[4];
};

/* A service. Protocol and port 0 say that the address is ours at all: for pings, fragments, and errors of the way. */
struct vip_key {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 family;
};

#define VIP_NO_LRU 1     /* the table alone decides: for services without long connections */
#define VIP_BY_SOURCE 2  /* all connections of a client go to one server */

struct vip {
	__u32 number;  /* which part of `rings` is its own, and which element of `vip_statistics` */
	__u32 flags;
};

enum encapsulation { ENCAP_IPIP, ENCAP_GUE };

/* A server. Family 0 is an empty place. */
struct real {
	struct address address;
	__u8 family;
	__u8 encapsulation;
	__u16 zero;
};

/* One connection, seen from the client. */
struct flow {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 family;
	__u16 zero;
};

struct connection {
	__u32 real;
	__u32 vip;
	__u64 packets;
};

/* What stands in outer headers, and the longest frame that the way to the servers takes. */
struct config {
	__u8 own_mac[6];
	__u8 gateway_mac[6];
	__be32 source_v4;          /* the lower half is replaced by the hash: receivers spread by it */
	struct address source_v6;  /* the last word likewise */
	__u32 max_frame;
};

struct vip_statistics {
	__u64 packets;
	__u64 bytes;
	__u64 connections;  /* put into the table of connections, or moved there to another server */
	__u64 known;        /* packets of connections that were in it */
};

/* What became of a packet; the index into `outcomes`. */
enum outcome {
	NOT_IP,
	NOT_OURS,
	MALFORMED,
	FRAGMENT,
	NO_REAL,
	TOO_BIG,
	ECHO_ANSWERED,
	FORWARDED,
	ERROR_FORWARDED,
	OUTCOMES,
};

#endif
