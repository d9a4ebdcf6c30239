/* SPDX-License-Identifier: MIT
 * What the policy shares with its user: rules by path and by owner, and a record of each decision that was a refusal.
 */
#ifndef EXEC_POLICY_H
#define EXEC_POLICY_H

#define PATH_LENGTH 64
#define COMM_LENGTH 16

enum mode {
	PERMISSIVE, /* tell, and let it happen */
	ENFORCING,
};

enum act {
	EXECUTE = 1,
	OPEN = 2,
	WRITE = 4,
};

enum verdict {
	NO_RULE,
	ALLOWED,
	DENIED,
};

/* A rule for all paths that begin with these bytes; of several, the one with the longest prefix counts. */
struct prefix {
	unsigned int bits;
	char path[PATH_LENGTH];
};

struct rule {
	unsigned int acts;    /* what is allowed: a sum of acts */
	unsigned int min_uid; /* the first user for whom it counts; those below are not restricted */
};

struct settings {
	unsigned int mode;
	unsigned int watch_writes; /* whether files opened to be written are judged too */
	unsigned long long budget; /* refusals that are told per second and user, 0 for all */
};

struct allowance {
	unsigned long long since;
	unsigned long long told;
};

struct event {
	unsigned long long when;
	unsigned int pid;
	unsigned int uid;
	unsigned int act;
	unsigned int verdict;
	char comm[COMM_LENGTH];
	char parent[COMM_LENGTH];
	char path[PATH_LENGTH];
};

#endif
