#include "site_time.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ZONE_FOLDER	"/usr/share/zoneinfo"
#define ZONE_FILE_BYTES 16384 /* the largest today has 3.8 kB */

/* A zone file as read (RFC 8536): the times at which the offset changed, and the rule for all later
 * years. */
struct zone {
	unsigned char bytes[ZONE_FILE_BYTES];
	size_t size;
	const unsigned char *times, *types, *infos; /* 8, 1 and 6 bytes each */
	int n_times, n_infos;
	char rule[128]; /* POSIX TZ, "CET-1CEST,M3.5.0,M10.5.0/3" */
};

static int64_t big_endian(const unsigned char *bytes, int count)
{
	uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;
	for (int i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return (int64_t)value;
}

/* Length of the data after a header, and its counts of times and local time types. */
static size_t block_size(const unsigned char *header, size_t time_size, int *n_times, int *n_infos)
{
	int64_t n_ut = big_endian(header + 20, 4), n_standard = big_endian(header + 24, 4);
	int64_t n_leap = big_endian(header + 28, 4), times = big_endian(header + 32, 4);
	int64_t infos = big_endian(header + 36, 4), letters = big_endian(header + 40, 4);
	const int64_t most = ZONE_FILE_BYTES;
	if (n_ut < 0 || n_ut > most || n_standard < 0 || n_standard > most || n_leap < 0 ||
	    n_leap > most || times < 0 || times > most || infos < 1 || infos > 256 || letters < 0 ||
	    letters > most)
		return SIZE_MAX;
	*n_times = (int)times;
	*n_infos = (int)infos;
	return (size_t)times * (time_size + 1) + (size_t)infos * 6 + (size_t)letters +
	       (size_t)n_leap * (time_size + 4) + (size_t)n_standard + (size_t)n_ut;
}

static bool zone_read(struct zone *zone, const char *name)
{
	char path[160];
	if (!name[0] || name[0] == '/' || strstr(name, ".."))
		return false;
	int length = snprintf(path, sizeof path, ZONE_FOLDER "/%s", name);
	if (length < 0 || (size_t)length >= sizeof path)
		return false;
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	zone->size = fread(zone->bytes, 1, sizeof zone->bytes, file);
	fclose(file);

	/* The first block has 32-bit times and is passed over; the second has 64-bit ones. */
	const unsigned char *at = zone->bytes, *end = zone->bytes + zone->size;
	if (zone->size < 88 || zone->size == sizeof zone->bytes || memcmp(at, "TZif", 4) != 0 ||
	    at[4] < '2')
		return false;
	size_t block = block_size(at, 4, &zone->n_times, &zone->n_infos);
	if (block > zone->size - 88)
		return false;
	at += 44 + block;
	if (memcmp(at, "TZif", 4) != 0)
		return false;
	block = block_size(at, 8, &zone->n_times, &zone->n_infos);
	at += 44;
	if (block > (size_t)(end - at))
		return false;
	zone->times = at;
	zone->types = zone->times + (size_t)zone->n_times * 8;
	zone->infos = zone->types + zone->n_times;
	at += block;
	zone->rule[0] = '\0';
	if (at < end && *at == '\n') {
		const unsigned char *stop = memchr(at + 1, '\n', (size_t)(end - at - 1));
		if (stop && (size_t)(stop - at - 1) < sizeof zone->rule) {
			memcpy(zone->rule, at + 1, (size_t)(stop - at - 1));
			zone->rule[stop - at - 1] = '\0';
		}
	}
	return true;
}

/* ---- the rule for later years (POSIX TZ) ---- */

static const char *skip_name(const char *at)
{
	if (*at == '<') {
		const char *close = strchr(at, '>');
		return close ? close + 1 : at + strlen(at);
	}
	while ((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z'))
		at++;
	return at;
}

/* [+-]H[:MM[:SS]] -> seconds; NULL when there is none. */
static const char *read_clock(const char *at, int *seconds)
{
	int sign = 1, parts[3] = {0, 0, 0};
	if (*at == '+' || *at == '-')
		sign = *at++ == '-' ? -1 : 1;
	for (int i = 0; i < 3; i++) {
		if (*at < '0' || *at > '9')
			return NULL;
		while (*at >= '0' && *at <= '9' && parts[i] < 1000)
			parts[i] = parts[i] * 10 + (*at++ - '0');
		if (*at != ':')
			break;
		at++;
	}
	*seconds = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
	return at;
}

/* Mm.w.d[/time] of a year -> local seconds since 1970: the w-th day d (0 Sunday) of month m, 5 the
 * last; NULL: another form. */
static const char *read_change(const char *at, int year, double *local_s)
{
	int month, week, weekday, used = 0, clock_s = 7200;
	if (sscanf(at, "M%2d.%1d.%1d%n", &month, &week, &weekday, &used) != 3 || month < 1 ||
	    month > 12 || week < 1 || week > 5 || weekday > 6)
		return NULL;
	at += used;
	if (*at == '/') {
		at = read_clock(at + 1, &clock_s);
		if (!at)
			return NULL;
	}
	struct tm first = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
	(void)timegm(&first);
	int day = 1 + (weekday - first.tm_wday + 7) % 7 + 7 * (week - 1);
	struct tm change = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	(void)timegm(&change);
	if (change.tm_mon != month - 1) /* there is no fifth one */
		day -= 7;
	change = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	*local_s = (double)timegm(&change) + clock_s;
	return at;
}

/* Seconds east of UTC by the rule; NaN when it is in a form that no zone uses today (Jn, n). */
static double rule_offset_s(const char *rule, double utc_s)
{
	int west_s, summer_west_s;
	double start_s, end_s;
	const char *at = read_clock(skip_name(rule), &west_s);
	if (!at)
		return NAN;
	if (!*at)
		return -west_s;
	at = skip_name(at);
	summer_west_s = west_s - 3600;
	if (*at != ',')
		at = read_clock(at, &summer_west_s);
	if (!at || *at != ',')
		return NAN;
	struct tm local;
	time_t standard = (time_t)floor(utc_s) - west_s;
	if (!gmtime_r(&standard, &local))
		return NAN;
	at = read_change(at + 1, local.tm_year + 1900, &start_s);
	if (!at || *at != ',' || !read_change(at + 1, local.tm_year + 1900, &end_s))
		return NAN;
	start_s += west_s;
	end_s += summer_west_s;
	bool summer =
	    start_s < end_s ? utc_s >= start_s && utc_s < end_s : utc_s >= start_s || utc_s < end_s;
	return summer ? -summer_west_s : -west_s;
}

/* Seconds east of UTC at a time. */
static double zone_offset_s(const struct zone *zone, double utc_s)
{
	int before = 0; /* number of changes at or before the time */
	while (before < zone->n_times &&
	       (double)big_endian(zone->times + 8 * (size_t)before, 8) <= utc_s)
		before++;
	if (before == zone->n_times && zone->rule[0])
		return rule_offset_s(zone->rule, utc_s);
	int type = before > 0 ? zone->types[before - 1] : 0;
	if (type >= zone->n_infos)
		return NAN;
	return (double)big_endian(zone->infos + 6 * (size_t)type, 4);
}

/* ---- DICOM ---- */

/* "+HHMM" -> seconds; NaN otherwise. */
static double parse_offset_s(const char *text)
{
	if ((text[0] != '+' && text[0] != '-') || strlen(text) != 5 ||
	    strspn(text + 1, "0123456789") != 4)
		return NAN;
	int hours = (text[1] - '0') * 10 + (text[2] - '0'),
	    minutes = (text[3] - '0') * 10 + (text[4] - '0');
	if (hours > 14 || minutes > 59)
		return NAN;
	double seconds = hours * 3600 + minutes * 60;
	return text[0] == '-' ? -seconds : seconds;
}

/* The clock's reading as if it were UTC; *rest: what follows it. */
static double parse_clock_s(const char *text, const char **rest)
{
	struct tm clock = {0};
	size_t digits = strspn(text, "0123456789");
	if (digits != 12 && digits != 14)
		return NAN;
	if (sscanf(text, "%4d%2d%2d%2d%2d%2d", &clock.tm_year, &clock.tm_mon, &clock.tm_mday,
		   &clock.tm_hour, &clock.tm_min, &clock.tm_sec) < 5)
		return NAN;
	struct tm checked = clock;
	checked.tm_year -= 1900;
	checked.tm_mon -= 1;
	double seconds = (double)timegm(&checked);
	if (clock.tm_year < 1970 || checked.tm_mon != clock.tm_mon - 1 ||
	    checked.tm_mday != clock.tm_mday || clock.tm_hour > 23 || clock.tm_min > 59 ||
	    clock.tm_sec > 60)
		return NAN;
	*rest = text + digits;
	double unit = 0.1;
	if (digits == 14 && **rest == '.') {
		for (++*rest; **rest >= '0' && **rest <= '9'; ++*rest, unit /= 10)
			seconds += unit * (**rest - '0');
	}
	return seconds;
}

double site_time_to_utc(const char *dicom_datetime, const char *utc_offset, const char *site_zone)
{
	const char *rest = "";
	double clock_s = parse_clock_s(dicom_datetime, &rest);
	if (isnan(clock_s))
		return NAN;
	while (*rest == ' ')
		rest++;
	if (*rest)
		return clock_s - parse_offset_s(rest);
	if (utc_offset[0])
		return clock_s - parse_offset_s(utc_offset);
	struct zone zone;
	if (!zone_read(&zone, site_zone))
		return NAN;
	double offset_before_s = zone_offset_s(&zone, clock_s - 86400);
	double offset_after_s = zone_offset_s(&zone, clock_s + 86400);
	if (zone_offset_s(&zone, clock_s - offset_before_s) == offset_before_s ||
	    zone_offset_s(&zone, clock_s - offset_after_s) != offset_after_s)
		return clock_s - offset_before_s;
	return clock_s - offset_after_s;
}

void site_time_from_utc(double utc_s, const char *site_zone, char datetime[33], char offset[8])
{
	datetime[0] = offset[0] = '\0';
	if (isnan(utc_s))
		return;
	struct zone zone;
	double offset_s = zone_read(&zone, site_zone) ? zone_offset_s(&zone, utc_s) : 0;
	if (isnan(offset_s))
		offset_s = 0;
	struct tm local;
	time_t seconds = (time_t)floor(utc_s + offset_s);
	if (!gmtime_r(&seconds, &local))
		return;
	strftime(datetime, 33, "%Y%m%d%H%M%S", &local);
	int minutes = (int)(fabs(offset_s) / 60) % 6000;
	snprintf(offset, 8, "%c%02d%02d", offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
