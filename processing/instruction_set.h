/* instruction_set.h - the same source compiled once for each instruction set, and which of them
 * this processor can run.
 *
 * The program is built for the plainest processor of its kind; a few inner loops are worth wider
 * vectors where there are any. Such a loop is written once, as an always inlined function without
 * branches, and a file that has some says:
 *
 *     #define CODE_FOR(set, target) target static void add_##set(...) { add(...); }
 *     INSTRUCTION_SETS(CODE_FOR)                   add_plain, add_avx2, add_avx512
 *
 *     #define CODE_ROW(set, target) add_##set,
 *     static code *const CODES[] = {INSTRUCTION_SETS(CODE_ROW)};
 *
 *     CODES[instruction_sets() - 1](...)           the fastest that runs here
 *
 * The bits do not depend on which one runs, as long as the loop uses only operations that IEEE 754
 * fixes to the last bit and sums in a fixed order of lanes: the build forbids fused multiply-add.
 * So the choice is no setting and no part of a result; tests compare all of them. */
#ifndef INSTRUCTION_SET_H
#define INSTRUCTION_SET_H

#ifdef __x86_64__
#define INSTRUCTION_SET_AVX2 __attribute__((target("avx2")))
/* what server processors since 2017 have; gcc takes the whole width only when told */
#ifdef __clang__
#define INSTRUCTION_SET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define INSTRUCTION_SET_AVX512                                                                     \
	__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#define INSTRUCTION_SETS(DO)                                                                       \
	DO(plain, ) DO(avx2, INSTRUCTION_SET_AVX2) DO(avx512, INSTRUCTION_SET_AVX512)
#else
#define INSTRUCTION_SETS(DO) DO(plain, )
#endif

/* How many of INSTRUCTION_SETS this processor can run, from the first on: at least 1. */
int instruction_sets(void);

#endif
