/* phantom_command.h - what the files of `holmia phantom` share: the options, the treatment that
 * follows from them, and the files it becomes.
 *
 *   OUT/dicom/01_baseline, 02_T1w, 03_after_1 ...   one MR Image per slice and echo
 *   OUT/dicom/90_rtstruct                           VOIs, drawn on the T1w slices
 *   OUT/treatment.xml                               the treatment record
 *   OUT/truth.json                                  what a perfect measurement would find
 *
 * With --onto there is no T1w series and the VOIs are drawn on the multi-echo slices.
 *
 * The DICOM files are made in OUT/.unfinished and moved in one rename when all are there; an
 * interrupted run leaves nothing. All UIDs derive from a digest of the options, so the same options
 * give the same bytes and other options other UIDs. */
#ifndef PHANTOM_COMMAND_H
#define PHANTOM_COMMAND_H

#include "mr_image.h"
#include "phantom.h"

#define PHANTOM_UTC_OFFSET    "+0100"
#define PHANTOM_ISO_OFFSET    "+01:00"
#define PHANTOM_MAX_SERIES    (2 + PHANTOM_MAX_INJECTIONS)
#define PHANTOM_INJECTION_MIN 20 /* from one injection to the next */

struct phantom_options {
	const char *out, *onto; /* onto NULL: the abdomen */
	char patient_id[65];
	char date[9]; /* YYYYMMDD */
	uint64_t seed;
	double snr; /* infinite: no noise */
	double oblique_deg;
	bool small, gas, sharp;
	int injections;
	double percent[PHANTOM_MAX_INJECTIONS];
	double activity_mbq; /* planned, 100 % */
	int echoes;
	double te1_ms, echo_spacing_ms;
	int threads;
};

struct phantom_series {
	char folder[32], description[64];
	char uid[65];
	char datetime[24]; /* YYYYMMDDHHMMSS, local */
	int number;
	int after_injection; /* 0 baseline; -1 anatomy */
};

struct phantom_treatment {
	struct phantom_options options;
	char hash[65]; /* of the options (and of the images under --onto) */
	char study_uid[65];
	char comment[128];
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_scan scan;    /* the multi-echo series */
	struct phantom_scan anatomy; /* the T1-weighted series; slices 0 when there is none */
	struct phantom_series series[PHANTOM_MAX_SERIES]; /* baseline, anatomy if any, after 1.. */
	int n_series;
	int drawn_on; /* index of the series the VOIs are drawn on */
	struct mr_image_study study;
	char study_datetime[24];
	double tr_ms, flip_deg, field_strength_t;
	double injection_mass_mg[PHANTOM_MAX_INJECTIONS];
	double sigma; /* --onto: noise SD of the real series; else NaN */
};

/* phantom_plan.c: everything but the images. For the course the options, hash, model and grids must
 * be set; it fills in the series with their UIDs and times, the injections, and the integrals the
 * truth is made of. */
enum status_code phantom_plan_abdomen(struct phantom_treatment *treatment,
				      const struct phantom_options *options,
				      struct status *st) STATUS_CHECKED;
enum status_code phantom_plan_course(struct phantom_treatment *treatment,
				     struct status *st) STATUS_CHECKED;

/* Minutes after midnight of the day -> YYYYMMDDHHMMSS, or ISO 8601 with zone. */
void phantom_datetime(char text[24], const char *date, int minutes);
void phantom_iso_time(char text[32], const char *date, int minutes);
/* Start of injection (1..), minutes after midnight. */
int phantom_injection_minutes(int injection);

/* phantom_images.c: files. `folder` is where dicom's sub-folders go. */
enum status_code phantom_write_abdomen(const struct phantom_treatment *treatment,
				       const char *folder, struct status *st) STATUS_CHECKED;
enum status_code phantom_write_structures(const struct phantom_treatment *treatment,
					  const char *folder, struct status *st) STATUS_CHECKED;
enum status_code phantom_make_folder(const char *path, struct status *st) STATUS_CHECKED;
void phantom_image_uid(char uid[65], const struct phantom_treatment *treatment, int series,
		       int slice, int echo);
void phantom_mr_series(struct mr_image_series *out, const struct phantom_treatment *treatment,
		       int series);
/* One image into folder/<series>/sNN_eNN.dcm. */
enum status_code phantom_write_image(const struct phantom_treatment *treatment, const char *folder,
				     int series, int slice, int echo, const uint16_t *pixels,
				     struct status *st) STATUS_CHECKED;

/* phantom_onto.c: a real multi-echo series with microspheres written into it. */
enum status_code phantom_write_onto(struct phantom_treatment *treatment,
				    const struct phantom_options *options, const char *folder,
				    struct status *st) STATUS_CHECKED;

/* phantom_files.c: the record and the truth. */
enum status_code phantom_write_record(const struct phantom_treatment *treatment, const char *path,
				      struct status *st) STATUS_CHECKED;
enum status_code phantom_write_truth(const struct phantom_treatment *treatment, const char *path,
				     struct status *st) STATUS_CHECKED;

/* Says how far the work is, on stderr: a line that renews itself on a terminal, else one per tenth.
 */
void phantom_progress(const char *what, int done, int of);

#endif
