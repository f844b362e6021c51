/* site_time.h - between the times that scanners write and seconds since 1970-01-01 UTC.
 *
 * DICOM times are local unless they carry an offset; a scanner that writes none is taken to
 * keep the site's zone, which the configuration names and the system's zone database
 * (/usr/share/zoneinfo, RFC 8536) explains. The zone of the process (TZ) plays no part, and
 * nothing global is touched: any thread may call these. */
#ifndef SITE_TIME_H
#define SITE_TIME_H

/* YYYYMMDDHHMM[SS[.FFFFFF]][+HHMM] with the offset of the value itself, else utc_offset
 * ("+0100"; "" none), else the site's zone. NaN: malformed, no time of day, unknown zone. In
 * the hour that autumn repeats the first one is meant (summer time); in the hour that spring
 * leaves out, the clock is taken not to have been put forward yet. */
double site_time_to_utc(const char *dicom_datetime, const char *utc_offset, const char *site_zone);

/* YYYYMMDDHHMMSS and +HHMM in the site's zone; UTC and +0000 when the zone is unknown; both ""
 * when utc_s is NaN. */
void site_time_from_utc(double utc_s, const char *site_zone, char datetime[33], char offset[8]);

#endif
