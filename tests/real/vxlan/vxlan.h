/* SPDX-License-Identifier: MIT
 * What the gateway and its control plane agree on.
 */
#ifndef VXLAN_H
#define VXLAN_H

#include <linux/types.h>

#define MAX_NETWORKS 64
#define MAX_HOSTS 4096
#define MAX_PEERS 64
#define MAX_FLOOD 8

/* A station of a network, by its hardware address. */
struct station {
	__u32 network;
	__u8 mac[6];
	__u16 zero;
};

/* Where a station is. What was learned may move, what the control plane has set may not. */
struct remote {
	__be32 address;
	__u32 learned;
};

struct neighbour_key {
	__u32 network;
	__be32 address;
};

struct neighbour {
	__u8 mac[6];
	__u16 zero;
};

/* The gateways that get what is for all stations of a network, or for one that nobody knows. */
struct flood_list {
	__u32 count;
	__be32 addresses[MAX_FLOOD];
};

struct traffic {
	__u64 packets_out;
	__u64 bytes_out;
	__u64 packets_in;
	__u64 bytes_in;
};

/* What became of a packet; the index into `outcomes`. */
enum outcome {
	NOT_OURS,         /* no tunnel packet for us */
	MALFORMED,
	TOO_BIG,
	UNKNOWN_NETWORK,  /* a VLAN or VNI that is not configured */
	UNKNOWN_PEER,     /* a tunnel packet of somebody who is no gateway */
	PINNED,           /* its source is configured to be elsewhere */
	NOWHERE,          /* nobody to flood it to */
	FAILED,           /* the kernel could not change the packet */
	ARP_ANSWERED,
	SENT,
	FLOODED,
	RECEIVED,
	OUTCOMES,
};

#endif
