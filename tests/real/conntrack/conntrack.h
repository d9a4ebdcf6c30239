/* SPDX-License-Identifier: MIT
 * What the firewall shares with its user: connections, what may be opened, and why a packet went where it did.
 */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include <linux/types.h>

enum state {
	FREE,
	OPENING,      /* a SYN from the one who opens; for UDP and pings: nothing came back yet */
	ANSWERED,     /* a SYN-ACK came back */
	ESTABLISHED,  /* both have sent */
	CLOSING,      /* one has sent FIN */
	LAST_ACK,     /* both have */
	CLOSED,       /* RST, or the last ACK */
};

enum outcome {
	NOT_IP,
	MALFORMED,
	FRAGMENT,
	UNSUPPORTED,
	NOT_OPEN,     /* from outside, to a port that is not open */
	NO_CONNECTION, /* in the middle of a connection that is not known */
	OUT_OF_STATE,
	OPENED,
	KNOWN,
	RELATED,      /* an error that quotes a packet of a known connection */
	OUTCOMES,
};

/* A connection, seen from the one who opened it. */
struct flow {
	__be32 source[4];
	__be32 destination[4];
	__be16 source_port;      /* of a ping: its id */
	__be16 destination_port;
	__u8 protocol;
	__u8 family;
	__u8 unused[2];
};

struct connection {
	__u64 last_seen;
	__u32 packets[2];  /* by the opener, by the other */
	__u32 bytes[2];
	__u8 state;
	__u8 finished;     /* who has sent FIN: 1 the opener, 2 the other */
	__u8 from_inside;
	__u8 unused[5];
};

struct service {
	__be16 port;
	__u8 protocol;
	__u8 unused;
};

/* How long a connection that says nothing is remembered, in seconds, by its state. */
struct timeouts {
	__u32 seconds[7];
};

#endif
