/* job_parts.h - what the files of the job share; not for other rooms.
 *
 *   job.c          the page: load -> dosimetry -> build -> put
 *   job_load.c     catalogue, record, roles; what was loaded is what the job was made for
 *   job_series.c   one series and its R2* map
 *   job_masks.c    contours -> masks on the result grid
 *   job_align.c    where the scans lie to the result grid
 *   job_deform.c   and how they are bent, where that is asked for
 *   job_input.c    all of that -> dosimetry input
 *   job_dosimetry.c  dosimetry_run() on it, from where the scans before ended
 *   job_emission.c a SPECT or PET of the days after
 *   job_build.c    evidence and figures -> result objects in memory
 *   job_report.c   the measurement report's own part of that
 *   job_hash.c     what makes two jobs the same
 *   alignment.c, map_cache.c, course_cache.c, result_file.c   what they are made with */
#ifndef JOB_PARTS_H
#define JOB_PARTS_H

#include "alignment.h"
#include "deformation.h"
#include "dosimetry.h"
#include "job.h"
#include "map_cache.h"
#include "measurement_report.h"
#include "mr_series.h"
#include "site_registrations.h"
#include "treatment.h"

#define JOB_MAX_OBJECTS 2 /* a map: local deposition, and by the kernel */
/* scans, their doses of both kinds and given registrations, baseline, anatomy, contours; an
 * emission image with its registration and contours */
#define JOB_MAX_EVIDENCE (4 * DOSIMETRY_MAX_SCANS + 8)
#define JOB_MAX_WARNINGS (TREATMENT_MAX_WARNINGS + 4 * DOSIMETRY_MAX_VOIS + 16)

/* A series of the job: its rows, arranged, and its map. */
struct job_scan {
	const struct catalogue_series *series; /* borrowed from the patient */
	struct mr_series arranged;
	struct kept_map kept; /* empty until job_need_map() */
	int after_injection;
	/* job_align.c: point of the result grid's frame of reference -> of this scan's; the
	 * identity unless moved. */
	bool moved;
	double to_result[RIGID_SIZE];
	double residual_mm;		/* dosimetry.h */
	struct deformation deformation; /* scan -> baseline; no displacements: rigid. Owned. */
	bool left_out;			/* it could not be aligned: not part of this result */
};

/* Everything a MAP or REPORT works on. Made zeroed; job_case_free() frees what is there. */
struct job_case {
	const struct config *config;
	struct store *store;
	const struct job *job;
	bool superseded;      /* st then says by what */
	int recompute_serial; /* how often the treatment was asked to be made anew */
	bool no_map; /* of one of its scans: no fault of the alignment or of the contours */

	struct catalogue_patient *patient;
	struct treatment_record record;
	struct catalogue_instance structure_instance;
	struct rt_structure_set structure_set;
	bool has_structure_set;
	struct site_registrations registrations;
	struct treatment_slots slots; /* roles, injections, warnings */

	struct job_scan baseline, after[DOSIMETRY_MAX_SCANS], anatomy;
	bool has_anatomy;
	const struct job_scan *shown_over; /* anatomy or baseline: its slices are the result grid */

	struct mask mask[DOSIMETRY_MAX_VOIS]; /* n_contoured of them, in order of slots.vois */
	int n_contoured;
	struct dosimetry_voi voi[DOSIMETRY_MAX_VOIS];
	struct dosimetry_scan scan[DOSIMETRY_MAX_SCANS];
	struct job_scan *scan_of[DOSIMETRY_MAX_SCANS]; /* whose each is; borrowed */
	struct dosimetry_injection injection[DOSIMETRY_MAX_INJECTIONS];
	struct dosimetry_injection planned; /* the one to come */
	struct dosimetry_input input;
	struct dosimetry_params params;
	struct dosimetry_result result; /* the last time point has its dose volumes */
	/* by region and time point: mean of the stored dose, voxels without one as 0 */
	double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS];

	/* how the scans were laid upon each other */
	struct report_alignment alignments[DOSIMETRY_MAX_SCANS + 1];
	int n_alignments;
	struct job_emission *emission; /* SPECT or PET beside it (job_emission.h); NULL none */
	struct report_warning warnings[JOB_MAX_WARNINGS];
	int n_warnings;
	struct job_keeping
	    *keeping; /* a course being written beside (job_dosimetry.c); NULL none */

	double fit_s, align_s; /* what of the loading these took, wall seconds */
};

/* One series -> its map, from the cache or fitted and then kept. kept may be NULL: only make sure
 * that it is there. anew: do not look into the cache. *fit_s grows by the time that fitting took.
 */
enum status_code job_fit_series(struct kept_map *kept, const struct config *config,
				const struct job_scan *scan, bool anew, double *fit_s,
				struct status *st) STATUS_CHECKED;

/* Finds and arranges a series; superseded when it is not what the job was made for. */
enum status_code job_find_series(struct job_scan *scan, bool *superseded,
				 const struct catalogue_patient *patient,
				 const struct job_series *wanted, struct status *st) STATUS_CHECKED;

/* One series -> its samples, echoes outermost; as many as mr_series_load() gives. */
enum status_code job_load_samples(float *samples, const struct config *config,
				  const struct job_scan *scan, struct status *st) STATUS_CHECKED;

/* Fills a case up to and including its dosimetry input. */
enum status_code job_load(struct job_case *c, struct status *st) STATUS_CHECKED;
/* The map of a scan of the case, from the cache or fitted, where it is not there already. */
enum status_code job_need_map(struct job_case *c, struct job_scan *scan,
			      struct status *st) STATUS_CHECKED;
enum status_code job_make_masks(struct job_case *c, struct status *st) STATUS_CHECKED;
/* The grid that the contours were drawn on, when it is known here; else the result grid. */
const struct grid *job_drawn_on(const struct job_case *c);
/* Coverage of either; same grid. The caller updates the bounds. */
void job_join_mask(struct mask *joined, const struct mask *part);
enum status_code job_align(struct job_case *c, struct status *st) STATUS_CHECKED;
/* A scan that was placed by a registration, found: baseline -> scan; the last line of c->alignments
 * is its own. region: on the result grid; empty: none. doubt: what was warned of that registration;
 * NULL: nothing. */
enum status_code job_deform(struct job_case *c, struct job_scan *scan,
			    const double found[RIGID_SIZE], const struct mask *region,
			    const char *region_evidence, struct report_warning *doubt,
			    struct status *st) STATUS_CHECKED;
void job_fill_input(struct job_case *c);
/* dosimetry_run() over what the case has, going on from what is kept (job_dosimetry.c). */
enum status_code job_run_dosimetry(struct job_case *c, struct status *st) STATUS_CHECKED;
/* Until what job_run_dosimetry() began to keep is kept: before the case is changed or freed. */
void job_wait_for_keeping(struct job_case *c);
/* Every input of the numbers of the first n scans of the case's dosimetry input. */
void job_course_key(char key[65], const struct job_case *c, int n_scans);
/* The dose of a map with the voxelwise baseline is the same with and without VOIs; its figures per
 * VOI are the report's work, so the dosimetry is spared them. */
bool job_can_do_without_vois(const struct job_case *c);
/* Contours that a map was refused for become a warning, and it is made without them; false where
 * they are needed, or st is no refusal. */
bool job_drop_contours(struct job_case *c, struct status *st);
/* STATUS_REFUSE and *superseded: what was loaded is not what the job was made for. */
enum status_code job_supersede(bool *superseded, struct status *st,
			       const char *words) STATUS_CHECKED;
double job_clock_s(void); /* monotonic */
/* To whoever watches (job.h: job_watch()). */
void job_tell(const char *stage, int after_injection, double seconds);
void job_case_free(struct job_case *c);

void job_warn(struct job_case *c, const char *code, const char *format, ...) STATUS_PRINTF(3, 4);

/* What is put: the objects, and the figures beside them. */
struct job_object {
	char sop_class_uid[65], sop_instance_uid[65], series_instance_uid[65],
	    study_instance_uid[65];
	uint8_t *bytes; /* owned, a DICOM file */
	size_t size;
};
struct job_output {
	struct job_object objects[JOB_MAX_OBJECTS];
	int n_objects;
	char *figures_json, *figures_table; /* owned */
	size_t figures_json_size, figures_table_size;
};
enum status_code job_build(struct job_output *output, const struct job_case *c,
			   struct status *st) STATUS_CHECKED;
void job_output_free(struct job_output *output);

/* job_report.c; evidence with room for the RT Doses of the time points behind its series. */
struct job_evidence {
	struct evidence evidence;
	struct evidence_series series[JOB_MAX_EVIDENCE];
	struct evidence_instance *instances[JOB_MAX_EVIDENCE]; /* owned */
	struct evidence_instance *grid_images;		       /* owned */
	struct dataset *study_header;			       /* owned */
};
enum status_code job_build_report(struct dataset **ds, char uid[65], struct job_evidence *evidence,
				  const struct job_case *c, struct status *st) STATUS_CHECKED;

#endif
