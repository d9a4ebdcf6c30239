#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

__u64 limit, seen;

__noinline int halve(__u64 given)
{
	barrier_var(given);
	return given / 2;
}

__noinline int handler(__u64 given)
{
	seen = given;
	return halve(given) + 1;
}

__noinline int check(__u64 given)
{
	if (given > limit)
		bpf_throw(given);
	return given;
}

__exception_cb(handler)
SEC("tc") int with_handler(struct __sk_buff *skb)
{
	return check(skb->len);
}

__exception_cb(handler)
SEC("tc") int shares_a_call(struct __sk_buff *skb)
{
	return check(halve(skb->len));
}

SEC("tc") int without_handler(struct __sk_buff *skb)
{
	return check(skb->len);
}

__exception_cb(handler)
__exception_cb(halve)
SEC("tc") int names_two(struct __sk_buff *skb)
{
	return check(skb->len);
}

__exception_cb(nowhere)
SEC("tc") int names_nothing(struct __sk_buff *skb)
{
	return check(skb->len);
}

__exception_cb(with_handler)
SEC("tc") int names_a_program(struct __sk_buff *skb)
{
	return check(skb->len);
}

char _license[] SEC("license") = "GPL";
