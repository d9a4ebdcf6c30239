#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");
struct locked {
	struct bpf_spin_lock lock;
	int number;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} places SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} next SEC(".maps");

__u64 cookie, seen, before;
int depth, turns;

__noinline static int inner(int x)
{
	before = x;
	if (x > 2)
		bpf_throw(cookie);
	return x + 1;
}

__noinline int outer(int x)
{
	if (x > 4)
		bpf_throw(cookie + 1);
	return inner(x) * 2;
}

__noinline int handler(__u64 given)
{
	char text[16];

	__builtin_memset(text, (int)given, sizeof(text));
	barrier_var(given);
	seen = given;
	return (int)given + 100 + text[3];
}

SEC("tc") int in_main(struct __sk_buff *skb)
{
	if (depth > 1)
		bpf_throw(cookie);
	return depth;
}

SEC("tc") int in_functions(struct __sk_buff *skb)
{
	return outer(depth) + 1000;
}

__exception_cb(handler)
SEC("tc") int with_handler(struct __sk_buff *skb)
{
	return outer(depth) + 1000;
}

__noinline int goes_on(struct __sk_buff *skb)
{
	if (turns-- > 0)
		bpf_tail_call(skb, &next, 0);
	return 5;
}

SEC("tc") int calls_further(struct __sk_buff *skb)
{
	return goes_on(skb) + 8;
}

__exception_cb(handler)
SEC("tc") int throws_after(struct __sk_buff *skb)
{
	return goes_on(skb) + outer(depth);
}

#define BAD(type, name) SEC("?" type) int name

BAD("tc", forgets_a_record)(struct __sk_buff *skb)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	if (depth)
		bpf_throw(1);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

BAD("tc", stays_in_a_section)(struct __sk_buff *skb)
{
	bpf_rcu_read_lock();
	bpf_throw(1);
	return 0;
}

BAD("tc", stays_without_preemption)(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	bpf_throw(1);
	return 0;
}

BAD("tc", holds_a_lock)(struct __sk_buff *skb)
{
	int zero = 0;
	struct locked *locked = bpf_map_lookup_elem(&places, &zero);

	if (!locked)
		return 0;
	bpf_spin_lock(&locked->lock);
	bpf_throw(1);
	return 0;
}

static int throwing(__u32 index, void *context)
{
	if (depth)
		bpf_throw(index);
	return 0;
}

BAD("tc", throws_from_a_callback)(struct __sk_buff *skb)
{
	return bpf_loop(3, throwing, 0, 0);
}

BAD("cgroup_skb/egress", throws_what_it_may_not_return)(struct __sk_buff *skb)
{
	bpf_throw(64);
	return 0;
}

BAD("cgroup_skb/egress", throws_anything)(struct __sk_buff *skb)
{
	bpf_throw(cookie);
	return 0;
}

__noinline int returns_too_much(__u64 given)
{
	barrier_var(given);
	return 64;
}

__exception_cb(returns_too_much)
BAD("cgroup_skb/egress", handler_returns_too_much)(struct __sk_buff *skb)
{
	if (depth)
		bpf_throw(cookie);
	return 1;
}

__noinline int throws_again(__u64 given)
{
	bpf_throw(given);
	return 0;
}

__exception_cb(throws_again)
BAD("tc", handler_throws)(struct __sk_buff *skb)
{
	bpf_throw(cookie);
	return 0;
}

__exception_cb(handler)
BAD("tc", calls_its_handler)(struct __sk_buff *skb)
{
	if (depth)
		bpf_throw(cookie);
	return handler(2);
}

__noinline int takes_two(__u64 given, __u64 more)
{
	barrier_var(given);
	return given + more;
}

__exception_cb(takes_two)
BAD("tc", handler_takes_two)(struct __sk_buff *skb)
{
	bpf_throw(cookie);
	return 0;
}

__exception_cb(inner)
BAD("tc", handler_is_static)(struct __sk_buff *skb)
{
	bpf_throw(inner(depth));
	return 0;
}

__exception_cb(nowhere)
BAD("tc", handler_is_nowhere)(struct __sk_buff *skb)
{
	bpf_throw(cookie);
	return 0;
}

__exception_cb(in_main)
BAD("tc", handler_is_a_program)(struct __sk_buff *skb)
{
	bpf_throw(cookie);
	return 0;
}

__exception_cb(handler)
__exception_cb(returns_too_much)
BAD("tc", has_two_handlers)(struct __sk_buff *skb)
{
	bpf_throw(cookie);
	return 0;
}

char _license[] SEC("license") = "GPL";
