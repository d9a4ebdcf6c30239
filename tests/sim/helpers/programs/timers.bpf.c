// One act on a timer, chosen by the packet's first bytes; what was answered is in `answers`.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum act { INIT, SET_CALLBACK, START, CANCEL };

struct element {
	__u64 fired;
	__u64 when;
	__u64 again;
	struct bpf_timer timer;
};

struct question {
	__u32 act;
	__u32 key;
	__u64 value;
	__u64 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct question);
} asked SEC(".maps");

static int tick(void *map, __u32 *key, struct element *element)
{
	element->fired += 1 + *key * 100;
	element->when = bpf_ktime_get_ns();
	if (element->again)
		bpf_timer_start(&element->timer, element->again, 0);
	return 0;
}

SEC("tc") int act(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct question *question = bpf_map_lookup_elem(&asked, &zero);
	struct element *element;

	if (!question)
		return 1000;
	element = bpf_map_lookup_elem(&elements, &question->key);
	if (!element)
		return 1001;
	switch (question->act) {
	case INIT:
		switch (question->flags) {
		case 0:
			return bpf_timer_init(&element->timer, &elements, 0);
		case 1:
			return bpf_timer_init(&element->timer, &elements, 1);
		case 2:
			return bpf_timer_init(&element->timer, &elements, 2);
		case 7:
			return bpf_timer_init(&element->timer, &elements, 7);
		}
		return 1002;
	case SET_CALLBACK:
		return bpf_timer_set_callback(&element->timer, tick);
	case START:
		return bpf_timer_start(&element->timer, question->value, question->flags);
	case CANCEL:
		return bpf_timer_cancel(&element->timer);
	}
	return 1003;
}

char _license[] SEC("license") = "GPL";
