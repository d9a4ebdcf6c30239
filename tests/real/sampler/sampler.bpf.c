// SPDX-License-Identifier: MIT
/*
 * A packet sampler in XDP: every packet goes on, and of some the first bytes go to user space, with what is known of them.
 *
 * Which ones is said by rules, by protocol and destination port. A sample goes into a ring buffer, a perf buffer, or both:
 * the ring keeps the order over all CPUs, the perf buffer takes the bytes right out of the packet. What could not be
 * delivered is counted by its reason. Programs behind this one find in the packet's metadata whether it was sampled.
 */
#include "flow.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_RULES);
	__type(key, struct rule_key);
	__type(value, struct rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MAX_RULES);
	__type(key, struct rule_key);
	__type(value, struct rule_state);
} states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

/* Where a sample is put together: too large for the stack. */
struct record {
	struct sample sample;
	__u8 bytes[MOST_CAPTURED];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} scratch SEC(".maps");

const volatile __u8 mark_packets = 1;  /* whether to leave metadata */

static __always_inline void lose(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &reason);

	if (count)
		(*count)++;
}

/* ---- Which packets --------------------------------------------------------------------------------------- */

/* Find the rule of a flow: that of its port, that of its protocol, that of all others. */
static __always_inline struct rule *rule_of(const struct flow *flow, struct rule_key *key)
{
	struct rule *rule;

	key->protocol = flow->protocol;
	key->port = flow->port;
	rule = bpf_map_lookup_elem(&rules, key);
	if (rule || !key->protocol)
		return rule;
	key->port = 0;
	rule = bpf_map_lookup_elem(&rules, key);
	if (rule)
		return rule;
	key->protocol = 0;
	return bpf_map_lookup_elem(&rules, key);
}

static __always_inline struct rule_state *state_of(const struct rule_key *key)
{
	struct rule_state *state = bpf_map_lookup_elem(&states, key), fresh = { 0 };

	if (state)
		return state;
	bpf_map_update_elem(&states, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&states, key);
}

static __always_inline _Bool is_chosen(const struct rule *rule, const struct rule_state *state, const struct flow *flow)
{
	__u64 turn = rule->by_flow ? flow->hash : state->seen;

	return rule->every && turn % rule->every == 0;
}

/* ---- Metadata -------------------------------------------------------------------------------------------- */

/* What a program before this one has said of the packet, if one has. */
static __always_inline __u32 mark_of(struct xdp_md *ctx)
{
	struct meta *meta = (void *)(long)ctx->data_meta;

	if ((void *)(meta + 1) > (void *)(long)ctx->data || meta->magic != META_MAGIC)
		return 0;
	return meta->mark;
}

/* Leave word for programs behind: in the metadata that is there, or in new ones. */
static __always_inline void leave_meta(struct xdp_md *ctx, __u32 mark)
{
	struct meta *meta = (void *)(long)ctx->data_meta;

	if ((void *)(meta + 1) > (void *)(long)ctx->data || meta->magic != META_MAGIC) {
		if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta))) {
			lose(NO_ROOM_FOR_META);
			return;
		}
		meta = (void *)(long)ctx->data_meta;
		if ((void *)(meta + 1) > (void *)(long)ctx->data)
			return;
	}
	meta->magic = META_MAGIC;
	meta->sampled = 1;
	meta->mark = mark;
}

/* ---- Delivery -------------------------------------------------------------------------------------------- */

static __always_inline void to_ring(struct xdp_md *ctx, struct record *record, __u32 captured)
{
	if (captured > MOST_CAPTURED)
		return;
	if (captured && bpf_xdp_load_bytes(ctx, 0, record->bytes, captured)) {
		lose(NOT_CAPTURED);
		return;
	}
	if (bpf_ringbuf_output(&ring, record, sizeof(record->sample) + captured, 0))
		lose(RING_FULL);
}

/* The kernel copies the packet's first bytes behind the sample. */
static __always_inline void to_perf(struct xdp_md *ctx, struct record *record, __u32 captured)
{
	__u64 flags = BPF_F_CURRENT_CPU | (__u64)captured << 32;

	if (bpf_perf_event_output(ctx, &perf, flags, &record->sample, sizeof(record->sample)))
		lose(PERF_REFUSED);
}

static __always_inline void describe(struct xdp_md *ctx, struct sample *sample, const struct flow *flow)
{
	__builtin_memset(sample, 0, sizeof(*sample));
	sample->time = bpf_ktime_get_ns();
	sample->cpu = bpf_get_smp_processor_id();
	sample->interface = ctx->ingress_ifindex;
	sample->queue = ctx->rx_queue_index;
	sample->hash = flow->hash;
	sample->length = bpf_xdp_get_buff_len(ctx);
	sample->mark = mark_of(ctx);
	sample->protocol = flow->protocol;
	sample->version = flow->version;
	sample->port = flow->port;
}

static __always_inline void deliver(struct xdp_md *ctx, const struct rule *rule, struct rule_state *state,
				    const struct flow *flow)
{
	__u32 zero = 0, captured = rule->capture;
	struct record *record = bpf_map_lookup_elem(&scratch, &zero);

	if (!record)
		return;
	describe(ctx, &record->sample, flow);
	if (captured > MOST_CAPTURED)
		captured = MOST_CAPTURED;
	if (captured > record->sample.length)
		captured = record->sample.length;
	record->sample.number = state->seen;
	record->sample.captured = captured;
	state->taken++;
	state->bytes += captured;
	if (rule->destinations & TO_RING)
		to_ring(ctx, record, captured);
	if (rule->destinations & TO_PERF)
		to_perf(ctx, record, captured);
	if (mark_packets)
		leave_meta(ctx, record->sample.mark);
}

/* ---- The program ----------------------------------------------------------------------------------------- */

SEC("xdp")
int sampler(struct xdp_md *ctx)
{
	struct flow flow = read_flow(ctx);
	struct rule_key key = { .zero = 0 };
	struct rule *rule = rule_of(&flow, &key);
	struct rule_state *state = rule ? state_of(&key) : 0;

	if (!rule || !state)
		return XDP_PASS;
	if (is_chosen(rule, state, &flow))
		deliver(ctx, rule, state, &flow);
	state->seen++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
