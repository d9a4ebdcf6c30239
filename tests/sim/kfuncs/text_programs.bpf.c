#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

extern int bpf_strcmp(const char *, const char *) __ksym;
extern int bpf_strcasecmp(const char *, const char *) __ksym;
extern int bpf_strchr(const char *, char) __ksym;
extern int bpf_strnchr(const char *, unsigned long, char) __ksym;
extern int bpf_strchrnul(const char *, char) __ksym;
extern int bpf_strrchr(const char *, int) __ksym;
extern int bpf_strlen(const char *) __ksym;
extern int bpf_strnlen(const char *, unsigned long) __ksym;
extern int bpf_strspn(const char *, const char *) __ksym;
extern int bpf_strcspn(const char *, const char *) __ksym;
extern int bpf_strstr(const char *, const char *) __ksym;
extern int bpf_strnstr(const char *, const char *, unsigned long) __ksym;

unsigned char one[12], two[12];
char wanted;
unsigned long count;
int results[13];

SEC("syscall")
int work(void *ctx)
{
	const char *a = (const char *)one, *b = (const char *)two;

	results[0] = bpf_strcmp(a, b);
	results[1] = bpf_strcasecmp(a, b);
	results[2] = bpf_strchr(a, wanted);
	results[3] = bpf_strnchr(a, count, wanted);
	results[4] = bpf_strchrnul(a, wanted);
	results[5] = bpf_strrchr(a, wanted);
	results[6] = bpf_strlen(a);
	results[7] = bpf_strnlen(a, count);
	results[8] = bpf_strspn(a, b);
	results[9] = bpf_strcspn(a, b);
	results[10] = bpf_strstr(a, b);
	results[11] = bpf_strnstr(a, b, count);
	results[12] = bpf_strcmp(NULL, b);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
