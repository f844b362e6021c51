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

#include <stdio.h>

#include "mr_image.h"
#include "phantom.h"
#include "phantom_pose.h"

#define PHANTOM_UTC_OFFSET "+0100"
#define PHANTOM_ISO_OFFSET "+01:00"
#define PHANTOM_MAX_SERIES (2 + PHANTOM_MAX_INJECTIONS)

#define PHANTOM_MAX_POSITIONS 4

/* A place of the catheter, and so a vial of its own. */
struct phantom_position {
	char id[8];
	const char *description, *part; /* part NULL: the whole liver */
	enum phantom_feeds feeds;
	double percent; /* of the planned activity */
	bool unimaged;	/* injected outside the scanner */
};

/* Numbers are doubles because the command line's table fills them in. */
struct phantom_options {
	const char *out, *onto; /* onto NULL: the abdomen */
	const char *unimaged;	/* id of a position; NULL */
	const char *emission;	/* "pet", "spect"; NULL: no follow-up scan */
	double psf_mm;		/* of that scan */
	char patient_id[65];
	char date[9]; /* YYYYMMDD */
	double seed;
	double snr; /* infinite: no noise */
	double oblique_deg;
	double voxel_mm[2]; /* in plane, between slices */
	bool small, gas, sharp, hot, necrosis, untreated, group;
	bool vials; /* a rack of them in place of a treatment */
	double fat_percent;
	double motion[2]; /* mm, degrees */
	double leaves_after, breathing_mm;
	struct phantom_position positions[PHANTOM_MAX_POSITIONS];
	int n_positions;
	int injections; /* per position */
	double percent[PHANTOM_MAX_INJECTIONS];
	double activity_mbq; /* planned, 100 %, all positions */
	double echoes;
	double te1_ms, echo_spacing_ms;
	double threads;
};

/* One stay in the scanner: a study and a frame of reference. */
struct phantom_session {
	char study_uid[65];
	char datetime[24];
	struct mr_image_study study;
	struct grid grid, anatomy_grid; /* of its series, in its frame of reference */
};
#define PHANTOM_MAX_SESSIONS 2

struct phantom_series {
	char folder[32], description[64];
	char uid[65];
	char datetime[24]; /* YYYYMMDDHHMMSS, local */
	int number;
	int after_injection; /* 0 baseline; -1 anatomy */
	int session;
	struct phantom_pose pose;
};

/* The follow-up scan of --emission. */
struct phantom_emission_scan {
	bool pet; /* PET in BQML, else NM in counts */
	int start_min;
	char study_uid[65], series_uid[65], datetime[24];
	struct grid grid;
	double cps_per_mbq, duration_s;
};

struct phantom_treatment {
	struct phantom_options options;
	char hash[65]; /* of the options (and of the images under --onto) */
	char comment[128];
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_scan scan;    /* the multi-echo series */
	struct phantom_scan anatomy; /* the T1-weighted series; slices 0 when there is none */
	struct phantom_session sessions[PHANTOM_MAX_SESSIONS];
	int n_sessions;
	struct phantom_series series[PHANTOM_MAX_SERIES]; /* baseline, anatomy if any, after 1.. */
	int n_series;
	int drawn_on; /* index of the series the VOIs are drawn on */
	double tr_ms, flip_deg, field_strength_t;
	int injection_min[PHANTOM_MAX_INJECTIONS]; /* start, minutes after midnight */
	int share_of[PHANTOM_MAX_INJECTIONS];	   /* index into options.percent */
	double injection_mass_mg[PHANTOM_MAX_INJECTIONS];
	struct phantom_emission_scan emission;
	double sigma; /* --onto: noise SD of the real series; else NaN */
};

/* phantom_options.c. False when only help was asked for. */
bool phantom_parse_options(struct phantom_options *options, int argc, char **argv,
			   struct status *st);
const char *phantom_usage(void);

/* phantom_plan.c: everything but the images. For the course the options, hash, model and grids must
 * be set; it fills in the series with their UIDs and times, the injections, and the integrals the
 * truth is made of. */
enum status_code phantom_plan_abdomen(struct phantom_treatment *treatment,
				      const struct phantom_options *options,
				      struct status *st) STATUS_CHECKED;
enum status_code phantom_plan_course(struct phantom_treatment *treatment,
				     struct status *st) STATUS_CHECKED;

/* Name of the group of tumours that --group makes; NULL for others. */
const char *phantom_group_of(const struct phantom_treatment *treatment, int tumour);

/* Minutes after midnight of the day, or of a day after it -> YYYYMMDDHHMMSS, or ISO 8601 with zone.
 */
void phantom_datetime(char text[24], const char *date, int minutes);
void phantom_iso_time(char text[32], const char *date, int minutes);

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

/* phantom_emission_files.c: nothing without --emission. */
void phantom_plan_emission(struct phantom_treatment *treatment);
enum status_code phantom_write_emission(const struct phantom_treatment *treatment,
					const char *unfinished, struct status *st) STATUS_CHECKED;

/* phantom_rack.c: a scan of vials instead of a treatment. */
enum status_code phantom_write_rack(const struct phantom_options *options, const char *unfinished,
				    struct status *st) STATUS_CHECKED;

/* phantom_onto.c: a real multi-echo series with microspheres written into it. */
enum status_code phantom_write_onto(struct phantom_treatment *treatment,
				    const struct phantom_options *options, const char *folder,
				    struct status *st) STATUS_CHECKED;

/* Flushes and closes; STATUS_RETRY when the disk did not take it. */
enum status_code phantom_close_file(FILE *file, const char *path, struct status *st) STATUS_CHECKED;
const char *phantom_role_name(enum phantom_role role); /* as the record says it */

/* phantom_record.c, phantom_truth_file.c: the record and the truth. */
enum status_code phantom_write_record(const struct phantom_treatment *treatment, const char *path,
				      struct status *st) STATUS_CHECKED;
enum status_code phantom_write_truth(const struct phantom_treatment *treatment, const char *path,
				     struct status *st) STATUS_CHECKED;

/* Says how far the work is, on stderr: a line that renews itself on a terminal, else one per tenth.
 */
void phantom_progress(const char *what, int done, int of);

#endif
