/* uid.c - see uid.h */
#include "uid.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *context;
	bool failed;
};

struct digest *digest_new(void)
{
	struct digest *digest = calloc(1, sizeof *digest);

	if (!digest)
		return NULL;
	digest->context = EVP_MD_CTX_new();
	if (!digest->context || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(digest->context);
		free(digest);
		return NULL;
	}
	return digest;
}

void digest_bytes(struct digest *digest, const void *bytes, unsigned long size)
{
	if (digest && size > 0 && EVP_DigestUpdate(digest->context, bytes, size) != 1)
		digest->failed = true;
}

void digest_text(struct digest *digest, const char *text)
{
	digest_bytes(digest, text, strlen(text) + 1);
}

void digest_double(struct digest *digest, double value)
{
	char text[40];

	if (isnan(value))
		snprintf(text, sizeof text, "nan"); /* printf may print the sign of a NaN */
	else
		snprintf(text, sizeof text, "%.17g", value);
	digest_text(digest, text);
}

/* Ends the digest; false when any step failed. */
static bool finish_raw(struct digest *digest, uint8_t raw[32])
{
	bool good;

	if (!digest)
		return false;
	good = !digest->failed && EVP_DigestFinal_ex(digest->context, raw, NULL) == 1;
	EVP_MD_CTX_free(digest->context);
	free(digest);
	return good;
}

void digest_finish(struct digest *digest, char hex[65])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[32];

	hex[0] = '\0';
	if (!finish_raw(digest, raw))
		return;
	for (int i = 0; i < 32; i++) {
		hex[2 * i] = digits[raw[i] >> 4];
		hex[2 * i + 1] = digits[raw[i] & 15];
	}
	hex[64] = '\0';
}

/* Decimal digits of a big-endian 128-bit number: long division by ten, byte after byte. */
static void decimal_of_uuid(char decimal[40], const uint8_t uuid[16])
{
	uint8_t rest[16];
	char reversed[40];
	int length = 0;
	bool zero;

	memcpy(rest, uuid, sizeof rest);
	do {
		unsigned remainder = 0;
		zero = true;
		for (int i = 0; i < 16; i++) {
			unsigned dividend = remainder << 8 | rest[i];
			rest[i] = (uint8_t)(dividend / 10);
			remainder = dividend % 10;
			zero = zero && rest[i] == 0;
		}
		reversed[length++] = (char)('0' + (int)remainder);
	} while (!zero);
	for (int i = 0; i < length; i++)
		decimal[i] = reversed[length - 1 - i];
	decimal[length] = '\0';
}

void uid_derive(char uid[65], const char *job_hash, const char *purpose)
{
	struct digest *digest = digest_new();
	uint8_t raw[32];
	char decimal[40];

	uid[0] = '\0';
	digest_text(digest, job_hash);
	digest_bytes(digest, purpose, strlen(purpose));
	if (!finish_raw(digest, raw))
		return;
	raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x80); /* version 8: custom */
	raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
	decimal_of_uuid(decimal, raw);
	snprintf(uid, 65, "2.25.%s", decimal);
}
