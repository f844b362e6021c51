/* uid.h - result UIDs derived from a job's hash, and the hash itself.
 *
 * The same job makes the same objects, so its UIDs may not come from a clock or a random source. A
 * UID is "2.25." and the decimal form of a 128-bit UUID (PS3.5 B.2); the UUID is the first 128 bits
 * of SHA-256(job_hash, 0x00, purpose), with version 8 and the variant bits of RFC 9562 set. Two
 * purposes of one job, or one purpose of two jobs, never share a UID as long as SHA-256 has no
 * collision in 122 bits.
 *
 * Thread rule: every function may run at the same time on different objects; there is no global
 * state. */
#ifndef UID_H
#define UID_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* job_hash: any text; purpose: "rt-dose-instance", "sr-series", "tracking:Tumour 1" ... Both are
 * borrowed. uid is "" when memory is short: the builders turn that into STATUS_RETRY. */
void uid_derive(char uid[65], const char *job_hash, const char *purpose);

/* SHA-256 of a growing text or bytes: for job hashes and evidence.
 *
 * digest_new() gives, digest_finish() takes and frees. NULL is allowed everywhere and gives hex =
 * "", so that a caller may check once, at the end. */
struct digest;
struct digest *digest_new(void); /* NULL without memory */
void digest_bytes(struct digest *digest, const void *bytes, unsigned long size);
/* With its final 0: ("a", "bc") is not ("ab", "c"). */
void digest_text(struct digest *digest, const char *text);
/* As "%.17g" text; every NaN as "nan". */
void digest_double(struct digest *digest, double value);
/* 64 lower-case digits; frees the digest. */
void digest_finish(struct digest *digest, char hex[65]);

#ifdef __cplusplus
}
#endif
#endif
