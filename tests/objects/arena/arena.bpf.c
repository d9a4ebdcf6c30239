/* Variables in an arena, read and written by a program and by the test. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __arena __attribute__((address_space(1)))
#define __arena_global __attribute__((address_space(1))) SEC(".addr_space.1")

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
} arena SEC(".maps");

struct pair {
	int left;
	long right;
};

int __arena_global counter = 40;
struct pair __arena_global pair = { 1, 2 };
long __arena_global zero = 0;
long seen;

SEC("syscall")
int counts(void *ctx)
{
	void *used = &arena;

	asm volatile("" : : "r"(used));
	counter++;
	pair.right += pair.left + 10;
	zero = counter;
	seen = pair.right;
	return counter;
}

struct pair __arena *__arena_global kept;

SEC("syscall")
int keeps(void *ctx)
{
	void *used = &arena;

	asm volatile("" : : "r"(used));
	kept = &pair;
	return kept->right;
}

SEC("syscall")
int follows(void *ctx)
{
	void *used = &arena;

	asm volatile("" : : "r"(used));
	return kept ? kept->right : -1;
}

char _license[] SEC("license") = "GPL";
