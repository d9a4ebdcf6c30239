#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct cpumask {
	unsigned long bits[1];
} __attribute__((preserve_access_index));
struct bpf_cpumask {
	struct cpumask cpumask;
} __attribute__((preserve_access_index));

extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *) __ksym;
extern struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *) __ksym;
extern __u32 bpf_cpumask_first(const struct cpumask *) __ksym;
extern __u32 bpf_cpumask_first_zero(const struct cpumask *) __ksym;
extern __u32 bpf_cpumask_first_and(const struct cpumask *, const struct cpumask *) __ksym;
extern void bpf_cpumask_set_cpu(__u32, struct bpf_cpumask *) __ksym;
extern void bpf_cpumask_clear_cpu(__u32, struct bpf_cpumask *) __ksym;
extern _Bool bpf_cpumask_test_cpu(__u32, const struct cpumask *) __ksym;
extern _Bool bpf_cpumask_test_and_set_cpu(__u32, struct bpf_cpumask *) __ksym;
extern _Bool bpf_cpumask_test_and_clear_cpu(__u32, struct bpf_cpumask *) __ksym;
extern void bpf_cpumask_setall(struct bpf_cpumask *) __ksym;
extern void bpf_cpumask_clear(struct bpf_cpumask *) __ksym;
extern _Bool bpf_cpumask_and(struct bpf_cpumask *, const struct cpumask *, const struct cpumask *) __ksym;
extern void bpf_cpumask_or(struct bpf_cpumask *, const struct cpumask *, const struct cpumask *) __ksym;
extern void bpf_cpumask_xor(struct bpf_cpumask *, const struct cpumask *, const struct cpumask *) __ksym;
extern _Bool bpf_cpumask_equal(const struct cpumask *, const struct cpumask *) __ksym;
extern _Bool bpf_cpumask_intersects(const struct cpumask *, const struct cpumask *) __ksym;
extern _Bool bpf_cpumask_subset(const struct cpumask *, const struct cpumask *) __ksym;
extern _Bool bpf_cpumask_empty(const struct cpumask *) __ksym;
extern _Bool bpf_cpumask_full(const struct cpumask *) __ksym;
extern void bpf_cpumask_copy(struct bpf_cpumask *, const struct cpumask *) __ksym;
extern __u32 bpf_cpumask_weight(const struct cpumask *) __ksym;
extern int bpf_cpumask_populate(struct cpumask *, const void *, unsigned long) __ksym;

__u32 steps[12][2];
int results[12];
__u64 bytes[2];
__u32 first, weight, zero;

#define C(mask) ((const struct cpumask *)(mask))

static __always_inline int act(__u32 what, __u32 cpu, struct bpf_cpumask *one, struct bpf_cpumask *two)
{
	switch (what) {
	case 0: bpf_cpumask_set_cpu(cpu, one); return 0;
	case 1: bpf_cpumask_clear_cpu(cpu, one); return 0;
	case 2: return bpf_cpumask_test_cpu(cpu, C(one));
	case 3: return bpf_cpumask_test_and_set_cpu(cpu, one);
	case 4: return bpf_cpumask_test_and_clear_cpu(cpu, one);
	case 5: bpf_cpumask_setall(one); return 0;
	case 6: bpf_cpumask_clear(one); return 0;
	case 7: return bpf_cpumask_and(one, C(one), C(two));
	case 8: bpf_cpumask_or(one, C(one), C(two)); return 0;
	case 9: bpf_cpumask_xor(one, C(one), C(two)); return 0;
	case 10: return bpf_cpumask_equal(C(one), C(two));
	case 11: return bpf_cpumask_intersects(C(one), C(two));
	case 12: return bpf_cpumask_subset(C(one), C(two));
	case 13: return bpf_cpumask_empty(C(one)) * 2 + bpf_cpumask_full(C(one));
	case 14: bpf_cpumask_copy(two, C(one)); return 0;
	case 15: bpf_cpumask_set_cpu(cpu, two); return 0;
	case 16: return bpf_cpumask_first_and(C(one), C(two));
	case 17: return bpf_cpumask_populate((struct cpumask *)two, bytes, sizeof(bytes));
	case 18: return bpf_cpumask_populate((struct cpumask *)two, bytes, 4);
	}
	return -1;
}

SEC("syscall")
int work(void *ctx)
{
	struct bpf_cpumask *one, *two, *again;
	int i;

	one = bpf_cpumask_create();
	if (!one)
		return 1;
	two = bpf_cpumask_create();
	if (!two) {
		bpf_cpumask_release(one);
		return 1;
	}
	bpf_for(i, 0, 12)
		results[i] = act(steps[i][0], steps[i][1], one, two);
	again = bpf_cpumask_acquire(one);
	bpf_cpumask_release(one);
	first = bpf_cpumask_first(C(again));
	zero = bpf_cpumask_first_zero(C(again));
	weight = bpf_cpumask_weight(C(again));
	bpf_cpumask_release(again);
	bpf_cpumask_release(two);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
