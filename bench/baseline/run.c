/* BPF_PROG_TEST_RUN of one packet, as cheaply as C can: one attr, built once, and a loop over syscall(2). */
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double thread_nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* Run `count` times; nanoseconds of this thread's CPU time a run, or -1 when the kernel refuses. */
double run(int fd, const void *packet, uint32_t size, void *out, uint32_t room, long count)
{
	union bpf_attr attr;
	double start;

	start = thread_nanoseconds();
	for (long i = 0; i < count; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.test.prog_fd = fd;
		attr.test.data_in = (uint64_t)(uintptr_t)packet;
		attr.test.data_size_in = size;
		attr.test.data_out = (uint64_t)(uintptr_t)out;
		attr.test.data_size_out = room;
		attr.test.repeat = 1;
		if (syscall(__NR_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0)
			return -1;
	}
	return (thread_nanoseconds() - start) / count;
}
