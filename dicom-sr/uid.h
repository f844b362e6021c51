/* uid.h - result UIDs derived from a job's hash: the same job makes the same objects.
 *
 * 2.25.<decimal of a 128-bit UUID> (PS3.5 B.2), the UUID being the first 128 bits of SHA-256(hash || 0x00 || purpose) with version 8 and
 * variant bits set (RFC 9562). */
#ifndef UID_H
#define UID_H

#include "status.h"

/* job_hash: any text; purpose: "rt-dose-instance", "sr-series", "tracking:Tumour 1" ... */
void uid_derive(char uid[65], const char *job_hash, const char *purpose);

/* SHA-256 of a growing text or bytes: for job hashes and evidence. */
struct digest;
struct digest *digest_new(void);                                       /* NULL without memory */
void digest_bytes(struct digest *digest, const void *bytes, unsigned long size);
void digest_text(struct digest *digest, const char *text);             /* with its final 0: ("a","bc") != ("ab","c") */
void digest_double(struct digest *digest, double value);               /* as "%.17g" text; NaN as "nan" */
void digest_finish(struct digest *digest, char hex[65]);               /* frees it */

#endif
