/* SPDX-License-Identifier: MIT
 * What the sampler and its readers agree on.
 */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <linux/types.h>

#define MOST_CAPTURED 256
#define MAX_RULES 16
#define META_MAGIC 0x5a4d

enum destination { TO_RING = 1, TO_PERF = 2 };

/* One packet of `every` is taken: counted on its CPU, or, `by_flow`, all packets of one flow of `every`. */
struct rule {
	__u32 every;
	__u32 capture;       /* at most so many bytes of a packet */
	__u8 destinations;
	__u8 by_flow;
	__u16 zero;
};

/* A rule is for a protocol and a destination port; protocol 0 is the rule of all others. */
struct rule_key {
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

/* What stands in front of the captured bytes. */
struct sample {
	__u64 time;
	__u64 number;        /* of the packet among those of its rule on this CPU */
	__u32 cpu;
	__u32 interface;
	__u32 queue;
	__u32 hash;          /* of the flow, the same for both directions */
	__u32 length;        /* of the packet */
	__u32 captured;
	__u32 mark;          /* what a program before this one left in the metadata */
	__u8 protocol;
	__u8 version;        /* of IP: 4, 6 or 0 */
	__be16 port;
};

/* Metadata in front of the packet: from a program before, and to the ones behind. */
struct meta {
	__u16 magic;
	__u16 sampled;
	__u32 mark;
};

struct rule_state {
	__u64 seen;
	__u64 taken;
	__u64 bytes;         /* captured */
};

enum loss {
	RING_FULL,
	PERF_REFUSED,        /* full, or nobody reads this CPU's buffer */
	NOT_CAPTURED,        /* the packet's bytes could not be read */
	NO_ROOM_FOR_META,
	LOSSES,
};

#endif
