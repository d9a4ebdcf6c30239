#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback)(void *map, int *key, void *value),
				    unsigned int flags, void *aux__prog) __ksym;

struct element {
	__u64 runs;
	struct bpf_wq work;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps"), others SEC(".maps");

int act, key, again, answer;
unsigned int flags;
__u64 seen;

static int work(void *map, int *at, void *value)
{
	struct element *element = value;

	__sync_fetch_and_add(&element->runs, 1);
	seen = seen * 10 + *at + 1;
	if (again > 0) {
		again--;
		bpf_wq_start(&element->work, 0);
	}
	return 0;
}

SEC("tc") int acts(struct __sk_buff *skb)
{
	struct element *element = bpf_map_lookup_elem(&elements, &key);

	if (!element)
		return 1;
	switch (act) {
	case 0: answer = bpf_wq_init(&element->work, &elements, flags); return 0;
	case 1: answer = bpf_wq_set_callback_impl(&element->work, work, flags, 0); return 0;
	default: answer = bpf_wq_start(&element->work, flags); return 0;
	}
}

SEC("tc") int removes(struct __sk_buff *skb)
{
	answer = bpf_map_delete_elem(&elements, &key);
	return 0;
}

#define BAD(name) SEC("?tc") int name(struct __sk_buff *skb)
#define LOOK_UP(element) \
	struct element *element = bpf_map_lookup_elem(&elements, &key); \
	if (!element) \
		return 1

BAD(names_another_map)
{
	LOOK_UP(element);
	return bpf_wq_init(&element->work, &others, 0);
}

BAD(points_elsewhere)
{
	LOOK_UP(element);
	return bpf_wq_start((void *)&element->runs, 0);
}

BAD(has_it_on_the_stack)
{
	struct bpf_wq work = {};

	return bpf_wq_start(&work, 0);
}

BAD(does_not_look)
{
	struct element *element = bpf_map_lookup_elem(&elements, &key);

	return bpf_wq_start((void *)element, 0);
}

static int returns_one(void *map, int *at, void *value)
{
	return 1;
}

BAD(returns_something)
{
	LOOK_UP(element);
	return bpf_wq_set_callback_impl(&element->work, returns_one, 0, 0);
}

BAD(gives_no_function)
{
	LOOK_UP(element);
	return bpf_wq_set_callback_impl(&element->work, (void *)element, 0, 0);
}

BAD(gives_no_map)
{
	LOOK_UP(element);
	return bpf_wq_init(&element->work, element, 0);
}

static int sleeps(void *map, int *at, void *value)
{
	char text[8];

	bpf_copy_from_user(text, sizeof(text), 0);
	return 0;
}

SEC("tc") int may_sleep_later(struct __sk_buff *skb)
{
	LOOK_UP(element);
	return bpf_wq_set_callback_impl(&element->work, sleeps, 0, 0);
}

char _license[] SEC("license") = "GPL";
