#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

#define WORDS 4

struct bpf_iter_bits {
	__u64 opaque[2];
};

int start, end, made, count, last;
__s64 sum;
__u64 words[WORDS];
__u32 nr_words;

SEC("syscall")
int numbers(void *ctx)
{
	struct bpf_iter_num it;
	int *at;

	sum = count = last = 0;
	made = bpf_iter_num_new(&it, start, end);
	while (count < 1000 && (at = bpf_iter_num_next(&it))) {
		sum += *at;
		last = *at;
		count++;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int nested(struct __sk_buff *ctx)
{
	int i, j;

	sum = 0;
	bpf_for(i, 0, 5)
		bpf_for(j, i, 5)
			sum += i * j;
	bpf_repeat(3)
		sum += 1000;
	return 0;
}

SEC("syscall")
int bits(void *ctx)
{
	struct bpf_iter_bits it;
	int *at;

	sum = count = last = 0;
	made = bpf_iter_bits_new(&it, words, nr_words);
	while ((at = bpf_iter_bits_next(&it))) {
		sum = sum * 3 + *at;
		last = *at;
		count++;
	}
	bpf_iter_bits_destroy(&it);
	return 0;
}

SEC("syscall")
int sections(void *ctx)
{
	unsigned long first, second;

	bpf_rcu_read_lock();
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_local_irq_save(&first);
	bpf_local_irq_save(&second);
	sum = start + end;
	bpf_local_irq_restore(&second);
	bpf_local_irq_restore(&first);
	bpf_preempt_enable();
	bpf_preempt_enable();
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
