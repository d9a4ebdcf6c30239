// SPDX-License-Identifier: MIT
/* A firewall that remembers connections, for both directions of an interface.
 *
 * What the inside opens may be answered; what the outside opens needs an open service. TCP is followed through its
 * states, UDP and pings by question and answer, and errors pass that quote a packet of a known connection.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "conntrack.h"
#include "parse.h"

#define OPENER 0
#define OTHER 1
#define SECOND 1000000000ULL

const volatile _Bool log_refusals = 0;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct service);
	__type(value, __u8);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timeouts);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

struct refusal {
	struct flow flow;
	__u32 outcome;
	__u32 from_inside;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} refusals SEC(".maps");

static __always_inline _Bool is_forgotten(const struct connection *connection, __u64 now)
{
	__u32 key = 0, state = connection->state;
	struct timeouts *timeouts = bpf_map_lookup_elem(&limits, &key);

	if (!timeouts || state > CLOSED)
		return 0;
	return timeouts->seconds[state] && now - connection->last_seen > timeouts->seconds[state] * SECOND;
}

/* Find the connection of a packet, whichever way it goes; `from` says who sent it. */
static __always_inline struct connection *find(struct flow *flow, __u64 now, __u32 *from)
{
	struct connection *found;

	*from = OPENER;
	found = bpf_map_lookup_elem(&connections, flow);
	if (!found) {
		turn_round(flow);
		*from = OTHER;
		found = bpf_map_lookup_elem(&connections, flow);
		if (!found) {
			turn_round(flow);
			return 0;
		}
	}
	if (!is_forgotten(found, now))
		return found;
	bpf_map_delete_elem(&connections, flow);
	if (*from == OTHER)
		turn_round(flow);
	return 0;
}

static __always_inline _Bool may_open(const struct flow *flow, _Bool from_inside)
{
	struct service service = { .port = flow->destination_port, .protocol = flow->protocol };

	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		service.port = 0;
	return from_inside || bpf_map_lookup_elem(&services, &service);
}

static __always_inline enum outcome open(struct packet *packet, _Bool from_inside, __u64 now)
{
	struct connection connection = { .last_seen = now, .state = OPENING, .from_inside = from_inside };

	if (packet->error || packet->reply)
		return NO_CONNECTION;
	if (packet->flow.protocol == IPPROTO_TCP && (!packet->syn || packet->ack || packet->fin || packet->rst))
		return NO_CONNECTION;
	if (!may_open(&packet->flow, from_inside))
		return NOT_OPEN;
	connection.packets[OPENER] = 1;
	connection.bytes[OPENER] = packet->length;
	bpf_map_update_elem(&connections, &packet->flow, &connection, BPF_ANY);
	return OPENED;
}

/* Follow a TCP connection by one packet; its state stays where the packet does not belong. */
static __always_inline _Bool follow_tcp(struct connection *connection, const struct packet *packet, __u32 from)
{
	if (packet->rst) {
		connection->state = CLOSED;
		return 1;
	}
	if (packet->syn) {
		if (from == OTHER && packet->ack && connection->state <= ANSWERED) {
			connection->state = ANSWERED;
			return 1;
		}
		if (from == OPENER && !packet->ack && (connection->state == OPENING || connection->state == CLOSED)) {
			connection->state = OPENING;
			connection->finished = 0;
			return 1;
		}
		return 0;
	}
	switch (connection->state) {
	case OPENING:
	case CLOSED:
		return 0;
	case ANSWERED:
		if (from != OPENER || !packet->ack)
			return 0;
		connection->state = ESTABLISHED;
		break;
	case LAST_ACK:
		if (packet->ack && !packet->fin)
			connection->state = CLOSED;
		break;
	}
	if (packet->fin) {
		connection->finished |= 1 << (from & 1);
		connection->state = connection->finished == 3 ? LAST_ACK : CLOSING;
	}
	return 1;
}

static __always_inline enum outcome follow(
	struct connection *connection, const struct packet *packet, __u32 from, __u64 now)
{
	if (packet->error)
		return RELATED;
	if (packet->flow.protocol == IPPROTO_TCP) {
		if (!follow_tcp(connection, packet, from))
			return OUT_OF_STATE;
	} else if (from == OTHER) {
		connection->state = ESTABLISHED;
	}
	connection->last_seen = now;
	connection->packets[from & 1]++;
	connection->bytes[from & 1] += packet->length;
	return KNOWN;
}

static __always_inline enum outcome judge(struct __sk_buff *skb, struct packet *packet, _Bool from_inside)
{
	struct cursor cursor = { (void *)(long)skb->data, (void *)(long)skb->data_end };
	struct connection *connection;
	__u64 now = bpf_ktime_get_ns();
	enum outcome outcome;
	__u32 from;

	outcome = read_packet(&cursor, packet);
	if (outcome != KNOWN)
		return outcome;
	connection = find(&packet->flow, now, &from);
	return connection ? follow(connection, packet, from, now) : open(packet, from_inside, now);
}

static __always_inline void tell(const struct packet *packet, enum outcome outcome, _Bool from_inside)
{
	struct refusal *refusal = bpf_ringbuf_reserve(&refusals, sizeof(*refusal), 0);

	if (!refusal)
		return;
	refusal->flow = packet->flow;
	refusal->outcome = outcome;
	refusal->from_inside = from_inside;
	bpf_ringbuf_submit(refusal, 0);
}

static __always_inline int decide(struct __sk_buff *skb, _Bool from_inside)
{
	struct packet packet = {};
	enum outcome outcome = judge(skb, &packet, from_inside);
	__u32 key = outcome;
	__u64 *count = bpf_map_lookup_elem(&outcomes, &key);

	if (count)
		*count += 1;
	if (outcome == NOT_IP || outcome >= OPENED)
		return TC_ACT_OK;
	if (log_refusals)
		tell(&packet, outcome, from_inside);
	return TC_ACT_SHOT;
}

SEC("tc/egress")
int from_inside(struct __sk_buff *skb)
{
	return decide(skb, 1);
}

SEC("tc/ingress")
int from_outside(struct __sk_buff *skb)
{
	return decide(skb, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
