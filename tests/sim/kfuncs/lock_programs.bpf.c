#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_res_spin_lock {
	__u32 val;
} __attribute__((aligned(4)));

extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag) __ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag) __ksym;
extern void bpf_local_irq_save(unsigned long *flags__irq_flag) __ksym;
extern void bpf_local_irq_restore(unsigned long *flags__irq_flag) __ksym;

struct place {
	__u64 number;
	struct bpf_res_spin_lock lock;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, int);
	__type(value, struct place);
} places SEC(".maps");

int first, second, answers[3];

#define LOOK_UP(name, key) \
	struct place *name = bpf_map_lookup_elem(&places, &(key)); \
	if (!name) \
		return 1

SEC("tc") int takes_one(struct __sk_buff *skb)
{
	LOOK_UP(one, first);
	answers[0] = bpf_res_spin_lock(&one->lock);
	if (answers[0])
		return 2;
	one->number++;
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

SEC("tc") int takes_two(struct __sk_buff *skb)
{
	int inner;

	LOOK_UP(one, first);
	LOOK_UP(two, second);
	if (bpf_res_spin_lock(&one->lock))
		return 2;
	inner = bpf_res_spin_lock(&two->lock);
	if (!inner) {
		two->number += 10;
		bpf_res_spin_unlock(&two->lock);
	}
	one->number++;
	bpf_res_spin_unlock(&one->lock);
	answers[1] = inner;
	return 0;
}

SEC("tc") int takes_two_quietly(struct __sk_buff *skb)
{
	unsigned long flags, more;
	int inner;

	LOOK_UP(one, first);
	LOOK_UP(two, second);
	if (bpf_res_spin_lock_irqsave(&one->lock, &flags))
		return 2;
	inner = bpf_res_spin_lock_irqsave(&two->lock, &more);
	if (!inner) {
		two->number += 100;
		bpf_res_spin_unlock_irqrestore(&two->lock, &more);
	}
	bpf_res_spin_unlock_irqrestore(&one->lock, &flags);
	answers[2] = inner;
	return 0;
}

static __always_inline int takes_both(int inner, int outer)
{
	int answer;

	LOOK_UP(one, outer);
	LOOK_UP(two, inner);
	if (bpf_res_spin_lock(&one->lock))
		return 2;
	answer = bpf_res_spin_lock(&two->lock);
	if (!answer) {
		one->number++;
		two->number++;
		bpf_res_spin_unlock(&two->lock);
	}
	bpf_res_spin_unlock(&one->lock);
	return -answer;
}

SEC("tc") int forward(struct __sk_buff *skb)
{
	return takes_both(1, 0);
}

SEC("tc") int backward(struct __sk_buff *skb)
{
	return takes_both(0, 1);
}

SEC("tc") int takes_one_by_its_sign(struct __sk_buff *skb)
{
	int answer;

	LOOK_UP(one, first);
	answer = bpf_res_spin_lock(&one->lock);
	if (answer < 0)
		return answer;
	one->number += second;
	bpf_res_spin_unlock(&one->lock);
	return answer;
}

#define BAD(name) SEC("?tc") int name(struct __sk_buff *skb)

BAD(keeps_it)
{
	LOOK_UP(one, first);
	return bpf_res_spin_lock(&one->lock);
}

BAD(gives_back_what_it_may_not_have)
{
	LOOK_UP(one, first);
	bpf_res_spin_lock(&one->lock);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

BAD(gives_back_without_taking)
{
	LOOK_UP(one, first);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

BAD(takes_the_same_twice)
{
	LOOK_UP(one, first);
	if (bpf_res_spin_lock(&one->lock))
		return 2;
	if (!bpf_res_spin_lock(&one->lock))
		bpf_res_spin_unlock(&one->lock);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

BAD(gives_back_another)
{
	LOOK_UP(one, first);
	LOOK_UP(two, second);
	if (bpf_res_spin_lock(&one->lock))
		return 2;
	bpf_res_spin_unlock(&two->lock);
	return 0;
}

BAD(gives_back_in_the_wrong_order)
{
	LOOK_UP(one, first);
	LOOK_UP(two, second);
	if (bpf_res_spin_lock(&one->lock))
		return 2;
	if (bpf_res_spin_lock(&two->lock)) {
		bpf_res_spin_unlock(&one->lock);
		return 3;
	}
	bpf_res_spin_unlock(&one->lock);
	bpf_res_spin_unlock(&two->lock);
	return 0;
}

BAD(points_elsewhere)
{
	LOOK_UP(one, first);
	if (!bpf_res_spin_lock((void *)&one->number))
		bpf_res_spin_unlock((void *)&one->number);
	return 0;
}

BAD(takes_one_on_the_stack)
{
	struct bpf_res_spin_lock lock = {};

	if (!bpf_res_spin_lock(&lock))
		bpf_res_spin_unlock(&lock);
	return 0;
}

BAD(asks_a_helper_meanwhile)
{
	LOOK_UP(one, first);
	if (bpf_res_spin_lock(&one->lock))
		return 2;
	one->number = bpf_ktime_get_ns();
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

BAD(gives_back_without_the_flags)
{
	unsigned long flags;

	LOOK_UP(one, first);
	if (bpf_res_spin_lock_irqsave(&one->lock, &flags))
		return 2;
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

BAD(restores_by_the_wrong_function)
{
	unsigned long flags;

	LOOK_UP(one, first);
	if (bpf_res_spin_lock_irqsave(&one->lock, &flags))
		return 2;
	bpf_local_irq_restore(&flags);
	return 0;
}

BAD(gives_back_flags_of_another)
{
	unsigned long flags;

	LOOK_UP(one, first);
	bpf_local_irq_save(&flags);
	if (bpf_res_spin_lock(&one->lock)) {
		bpf_local_irq_restore(&flags);
		return 2;
	}
	bpf_res_spin_unlock_irqrestore(&one->lock, &flags);
	return 0;
}

BAD(asks_with_a_null_pointer)
{
	struct place *one = bpf_map_lookup_elem(&places, &first);

	return bpf_res_spin_lock(&one->lock);
}

char _license[] SEC("license") = "GPL";
