#include "instruction_set.h"

int instruction_sets(void)
{
#ifdef __x86_64__
	if (!__builtin_cpu_supports("avx2"))
		return 1;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return 3;
	return 2;
#else
	return 1;
#endif
}
