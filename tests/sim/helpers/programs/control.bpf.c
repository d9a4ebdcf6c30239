// Loops over numbers and over maps, with all that matters given by the test in `asked`.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map;

struct question {
	__u64 count;
	__u64 flags;
	__u64 stop;
	__u64 inner;
};

struct answer {
	__s64 result;
	__u64 calls;
	__u64 sum;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct question);
} asked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u64);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answer);
} answers SEC(".maps");

struct walk {
	__u64 calls;
	__u64 sum;
	__u64 stop;
	__u64 inner;
};

static long add_index(__u64 index, void *data)
{
	struct walk *walk = data;

	walk->sum += index;
	walk->calls++;
	return index == walk->stop;
}

static long nest(__u64 index, void *data)
{
	struct walk *walk = data;

	walk->sum += bpf_loop(walk->inner, add_index, data, 0) * 1000;
	return index == walk->stop;
}

static long add_element(struct bpf_map *map, const void *key, void *value, void *data)
{
	struct walk *walk = data;

	walk->sum += *(__u64 *)value;
	*(__u64 *)value += 1;
	walk->calls++;
	return walk->calls == walk->stop;
}

static long drop_element(struct bpf_map *map, const void *key, void *value, void *data)
{
	struct walk *walk = data;

	walk->calls++;
	walk->sum += bpf_map_delete_elem(&hash, key) == 0;
	return 0;
}

static __always_inline int answer(struct question *question, struct walk *walk, long result)
{
	__u32 zero = 0;
	struct answer *out = bpf_map_lookup_elem(&answers, &zero);

	if (out) {
		out->result = result;
		out->calls = walk->calls;
		out->sum = walk->sum;
	}
	return 0;
}

#define PROGRAM(name, call)						\
	SEC("xdp") int name(struct xdp_md *ctx)				\
	{								\
		__u32 zero = 0;						\
		struct question *q = bpf_map_lookup_elem(&asked, &zero); \
		struct walk walk = {};					\
									\
		if (!q)							\
			return 0;					\
		walk.stop = q->stop;					\
		walk.inner = q->inner;					\
		return answer(q, &walk, call);				\
	}

PROGRAM(loop, bpf_loop(q->count, add_index, &walk, q->flags))
PROGRAM(nested, bpf_loop(q->count, nest, &walk, q->flags))
PROGRAM(over_hash, bpf_for_each_map_elem(&hash, add_element, &walk, q->flags))
PROGRAM(over_array, bpf_for_each_map_elem(&array, add_element, &walk, q->flags))
PROGRAM(dropping, bpf_for_each_map_elem(&hash, drop_element, &walk, q->flags))

char _license[] SEC("license") = "GPL";
